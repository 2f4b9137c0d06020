#!lua flags=allow-oom
-- include: clock
local albums = KEYS[1]
local quiet = tonumber(ARGV[1]) -- s

local at = now()
for _, album_id in ipairs(redis.call('ZRANGE', albums, 0, -1)) do
  redis.call('ZADD', albums, 'GT', at + quiet, album_id)
end
