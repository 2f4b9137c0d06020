#!lua flags=allow-oom
local name, holder, lifetime_ms = KEYS[1], ARGV[1], ARGV[2] -- then options of SET

-- A script, since a plain SET is refused while Redis' memory is full: leases are renewed under the name.
return redis.call('SET', name, holder, 'PX', lifetime_ms, unpack(ARGV, 3))
