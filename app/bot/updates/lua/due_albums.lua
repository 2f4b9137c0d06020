#!lua flags=allow-oom
-- include: clock
local albums = KEYS[1]

return redis.call('ZRANGEBYSCORE', albums, '-inf', now())
