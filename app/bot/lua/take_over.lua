#!lua flags=allow-oom
-- include: clock
local stream = KEYS[1]
local group, consumer, idle_ms, count = unpack(ARGV, 1, 4)
local answered, within = tonumber(ARGV[5]), tonumber(ARGV[6]) -- when Redis last answered (its time, s); s ago at most

if math.abs(now() - answered) > within then return {} end
return redis.call('XAUTOCLAIM', stream, group, consumer, idle_ms, '0', 'COUNT', count)[2]
