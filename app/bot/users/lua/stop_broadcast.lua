#!lua flags=allow-oom
local broadcast = KEYS[1]
local id = ARGV[1]

if redis.call('HGET', broadcast, 'id') ~= id or redis.call('HGET', broadcast, 'state') ~= 'running' then return 0 end
return redis.call('HSET', broadcast, 'state', 'stopping') + 1
