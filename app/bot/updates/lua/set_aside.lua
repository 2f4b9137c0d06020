#!lua flags=allow-oom
-- include: acknowledge
local inbox, begun, aside = unpack(KEYS)
local group, entry, update, why = unpack(ARGV, 1, 4)
local kept, ttl = ARGV[5], ARGV[6] -- how many, and how many seconds

if #redis.call('XRANGE', inbox, entry, entry) == 0 then return 0 end
redis.call('XADD', aside, 'MAXLEN', kept, '*', 'why', why, 'update', update)
redis.call('EXPIRE', aside, ttl)
acknowledge(inbox, begun, group, entry)
return 1
