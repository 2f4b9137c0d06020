#!lua flags=allow-oom
-- include: is_ours
local conversation = KEYS[1]
local sender, attempt, message = unpack(ARGV, 1, 3) -- message: the one that becomes the next picture

if not is_ours(conversation, sender, attempt) then return 0 end
redis.call('HSET', conversation, 'place', message)
return 1
