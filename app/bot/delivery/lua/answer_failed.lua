#!lua flags=allow-oom
local conversation = KEYS[1]
local ttl = ARGV[1]

redis.call('EXPIRE', conversation, ttl)
return redis.call('HINCRBY', conversation, 'failures', 1)
