#!lua flags=allow-oom
-- include: requests
local id = ARGV[2]

-- Its person knows how the request ended: from here on its record is kept only for what may still be asked of it.
local record = record_of(id)
local state, user = unpack(redis.call('HMGET', record, 'state', 'user'))
if not state then return end
redis.call('HSET', record, 'told', 1)
if state ~= 'done' then
  redis.call('EXPIRE', record, keep.ended)
elseif not redis.call('ZSCORE', history_of(user), id) then
  redis.call('EXPIRE', record, keep.forgotten)
end
