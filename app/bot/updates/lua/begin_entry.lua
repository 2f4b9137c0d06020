#!lua flags=allow-oom
local begun = KEYS[1]
local entry, remembered = ARGV[1], ARGV[2] -- remembered: seconds

-- Returns how often it has been begun with, this time included.
local count = redis.call('HINCRBY', begun, entry, 1)
redis.call('EXPIRE', begun, remembered) -- after it, since there may be nothing to expire before
return count
