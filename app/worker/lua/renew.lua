#!lua flags=allow-oom
-- include: clock executions
local function leases(number) return KEYS[3 + number] end
local lease, execution_ttl, worker = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] -- s, s, name
local FIRST_PAIR = 4 -- from here on: a lease set's number, and an execution

-- Returns the executions whose lease is gone, or whose job another has claimed since. A renewal raises the score, even
-- if the clock has stepped back: one that stands still is a dead worker's.
local at, lost = now(), {}
for i = FIRST_PAIR, #ARGV, 2 do
  local set, composite = leases(tonumber(ARGV[i])), ARGV[i + 1]
  local score = redis.call('ZSCORE', set, composite)
  local id, execution = parts_of(composite)
  if score and (last_claim(id) or execution) == execution then
    redis.call('ZADD', set, 'XX', string.format('%.17g', math.max(at + lease, score + 0.001)), composite)
    if redis.call('TTL', execution_of(composite)) < execution_ttl * 0.75 then
      redis.call('HSET', execution_of(composite), 'id', execution, 'job_id', id, 'worker_name', worker,
                 'last_heartbeat', at)
      redis.call('HSETNX', execution_of(composite), 'created_at', at) -- it has expired: an outage was longer
      redis.call('EXPIRE', execution_of(composite), execution_ttl)
    end
  else
    lost[#lost + 1] = composite
  end
end
return lost
