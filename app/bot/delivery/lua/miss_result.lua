#!lua flags=allow-oom
local conversation, missed = KEYS[1], KEYS[2] -- missed: by this person
local ttl, id = ARGV[1], ARGV[2]

redis.call('HSET', conversation, 'ended', 1)
redis.call('EXPIRE', conversation, ttl)
redis.call('SADD', missed, id)
redis.call('EXPIRE', missed, ttl)
