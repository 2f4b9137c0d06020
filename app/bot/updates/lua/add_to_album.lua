-- include: clock
local album, albums = KEYS[1], KEYS[2]
local album_id, message_id, part, quiet = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]) -- quiet: s

-- Returns 0 if it comes too late to be part of it.
if redis.call('HEXISTS', album, 'closed') == 1 then return redis.call('HEXISTS', album, message_id) end
redis.call('HSET', album, message_id, part)
redis.call('ZADD', albums, now() + quiet, album_id)
return 1
