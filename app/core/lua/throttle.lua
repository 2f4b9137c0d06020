#!lua flags=allow-oom
-- include: clock
local count = tonumber(ARGV[1]) -- calls that are made at once
local kept = tonumber(ARGV[2]) -- share of each burst to leave alone ('' = these calls can't wait)
local function interval(i) return tonumber(ARGV[1 + 2 * i]) end -- of each of KEYS: seconds between two calls
local function burst(i) return tonumber(ARGV[2 + 2 * i]) end -- and seconds that calls may be ahead of that

-- The generic cell rate algorithm (ITU-T I.371): of each limit one number, the time at which the next call is due.
-- Returns the seconds to wait; what can wait has its turn only if that is 0.
local at, due, wait = now(), {}, 0
for i, limit in ipairs(KEYS) do
  due[i] = math.max(tonumber(redis.call('GET', limit) or '0'), at - burst(i))
  wait = math.max(wait, due[i] + (kept or 0) * burst(i) - at)
end
if not kept or wait == 0 then
  for i, limit in ipairs(KEYS) do
    local next_due = due[i] + count * interval(i)
    redis.call('SET', limit, string.format('%.6f', next_due), 'EX', 60 + math.max(0, math.ceil(next_due - at)))
  end
end
return string.format('%.6f', wait)
