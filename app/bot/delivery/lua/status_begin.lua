#!lua flags=allow-oom
-- include: clock states status
local id, first_look, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3] -- s to the first look; then pairs of fields to set

-- Returns 0 if it came too late: the answer has been given.
redis.call('HSET', conversation_of(id), unpack(ARGV, 4))
redis.call('EXPIRE', conversation_of(id), ttl)
if redis.call('HEXISTS', conversation_of(id), 'ended') == 1 then return 0 end
look_at(id, now() + first_look)
return 1
