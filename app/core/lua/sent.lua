#!lua flags=allow-oom
local record = KEYS[1]
local file_ids = ARGV[1] -- JSON

-- A record that has expired just now is not made anew.
if redis.call('EXISTS', record) == 1 then redis.call('HSET', record, 'file_ids', file_ids) end
