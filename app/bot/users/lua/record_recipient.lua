#!lua flags=allow-oom
local broadcast, recipients, sender_key = unpack(KEYS)
local sender, recipient, outcome = unpack(ARGV)

-- Returns 0 if another sends now.
if redis.call('ZREM', recipients, recipient) == 1 then redis.call('HINCRBY', broadcast, outcome, 1) end
return redis.call('GET', sender_key) == sender and 1 or 0
