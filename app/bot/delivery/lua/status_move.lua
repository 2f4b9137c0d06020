#!lua flags=allow-oom
-- include: states status
local id = ARGV[1]

-- Keeps the time of the next look, so that a message is not edited sooner than it may be.
local at = redis.call('ZSCORE', waiting, id) or redis.call('ZSCORE', drawing, id)
if at then look_at(id, at) end
