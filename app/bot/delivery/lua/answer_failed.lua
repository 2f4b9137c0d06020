#!lua flags=allow-oom
local ledger_entry = KEYS[1]
local ttl = ARGV[1]

redis.call('EXPIRE', ledger_entry, ttl)
return redis.call('HINCRBY', ledger_entry, 'failures', 1)
