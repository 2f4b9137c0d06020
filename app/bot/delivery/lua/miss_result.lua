#!lua flags=allow-oom
local ledger_entry, missed = KEYS[1], KEYS[2] -- missed: by this person
local ttl, id = ARGV[1], ARGV[2]

redis.call('HSET', ledger_entry, 'ended', 1)
redis.call('EXPIRE', ledger_entry, ttl)
redis.call('SADD', missed, id)
redis.call('EXPIRE', missed, ttl)
