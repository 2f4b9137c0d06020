#!lua flags=allow-oom
local paused = KEYS[1]
local kind, reason, ttl = ARGV[1], ARGV[2], ARGV[3] -- ttl: seconds

-- Trouble with the account outranks an outage; an incident keeps the time at which it began.
-- Returns 1 if an incident begins.
local since, begins = tonumber(redis.call('TIME')[1]), 1
local known, old = pcall(cjson.decode, redis.call('GET', paused) or '')
if known and type(old) == 'table' then
  if old.kind == kind or old.kind == 'account' then since, begins = old.since, 0 end
  if old.kind == 'account' and kind ~= 'account' then kind, reason = old.kind, old.reason end
end
redis.call('SET', paused, cjson.encode({kind = kind, reason = reason, since = since}), 'EX', ttl)
return begins
