#!lua flags=allow-oom
local conversation = KEYS[1]
local ttl, file_ids = ARGV[1], ARGV[2] -- file_ids: Telegram's names of the pictures sent, JSON

-- A sender that was overtaken may know of less.
local known = cjson.decode(redis.call('HGET', conversation, 'file_ids') or '[]')
if #known >= #cjson.decode(file_ids) then return end
redis.call('HSET', conversation, 'file_ids', file_ids)
redis.call('HDEL', conversation, 'place')
redis.call('EXPIRE', conversation, ttl)
