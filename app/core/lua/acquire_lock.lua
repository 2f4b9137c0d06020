#!lua flags=allow-oom
local lock = KEYS[1]
local owner, ttl_ms, instead_of = ARGV[1], ARGV[2], ARGV[3] -- instead_of: an owner who is dead ('' = none)

-- Takes the lock, or renews it. Returns who holds it.
local holder = redis.call('GET', lock)
if holder and holder ~= owner and holder ~= instead_of then return holder end
redis.call('SET', lock, owner, 'PX', ttl_ms)
return owner
