#!lua flags=allow-oom
local begun = KEYS[1]
local entry = ARGV[1]

-- Takes back what begin_entry has counted.
if redis.call('HEXISTS', begun, entry) == 1 then redis.call('HINCRBY', begun, entry, -1) end
