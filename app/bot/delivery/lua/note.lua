#!lua flags=allow-oom
local ledger_entry = KEYS[1]
local ttl = ARGV[1] -- then pairs of fields to set

redis.call('HSET', ledger_entry, unpack(ARGV, 2))
redis.call('EXPIRE', ledger_entry, ttl)
