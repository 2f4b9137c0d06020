#!lua flags=allow-oom
-- include: epoch
local epoch_key, record, open_requests, open_prefix, open_batch_prefix = unpack(KEYS)
local number, tick, id = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] -- then pairs of the record's fields

-- Puts a record back that the copy does not have, or has from before fal took the request. Returns whether it did.
local _, _, _, _, behind = read_epoch(epoch_key, number, tick)
if not behind then return 0 end
local fal = redis.call('HGET', record, 'fal')
if fal and fal ~= '' then return 0 end
redis.call('DEL', record)
redis.call('HSET', record, unpack(ARGV, 4))
local user, batch = unpack(redis.call('HMGET', record, 'user', 'batch'))
local at = redis.call('TIME')[1]
redis.call('ZADD', open_requests, at, id)
redis.call('ZADD', (batch and open_batch_prefix or open_prefix) .. user, at, id)
return 1
