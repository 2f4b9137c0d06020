#!lua flags=allow-oom
local ledger_entry = KEYS[1]
local ttl, file_ids = ARGV[1], ARGV[2] -- file_ids: Telegram's names of the pictures sent, JSON

-- A sender that was overtaken may know of less.
local known = cjson.decode(redis.call('HGET', ledger_entry, 'file_ids') or '[]')
if #known >= #cjson.decode(file_ids) then return end
redis.call('HSET', ledger_entry, 'file_ids', file_ids)
redis.call('HDEL', ledger_entry, 'place')
redis.call('EXPIRE', ledger_entry, ttl)
