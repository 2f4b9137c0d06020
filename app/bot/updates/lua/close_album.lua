#!lua flags=allow-oom
-- include: append_entry
local albums, album, inbox, last = unpack(KEYS) -- last: the chat's last entry in the inbox
local album_id, messages, update = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local ttl, remembered = ARGV[4], ARGV[5] -- seconds: the album, the entry

-- Returns 0 if a message has come that the update lacks, or another instance was faster.
if redis.call('HLEN', album) ~= messages then return 0 end
if redis.call('ZREM', albums, album_id) == 0 then return 0 end
append_entry(inbox, last, update, remembered)
redis.call('HSET', album, 'closed', 1)
redis.call('EXPIRE', album, ttl)
return 1
