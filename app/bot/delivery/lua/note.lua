#!lua flags=allow-oom
local conversation = KEYS[1]
local ttl = ARGV[1] -- then pairs of fields to set

redis.call('HSET', conversation, unpack(ARGV, 2))
redis.call('EXPIRE', conversation, ttl)
