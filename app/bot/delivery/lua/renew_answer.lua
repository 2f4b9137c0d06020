#!lua flags=allow-oom
-- include: clock is_ours
local conversation = KEYS[1]
local sender, attempt, hold = ARGV[1], ARGV[2], tonumber(ARGV[3]) -- hold: seconds of the claim

if not is_ours(conversation, sender, attempt) then return 0 end
redis.call('HSET', conversation, 'held_until', now() + hold)
return 1
