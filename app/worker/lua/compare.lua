#!lua flags=allow-oom
-- include: states records
local of_person, of_everybody = KEYS[2], KEYS[3] -- open requests

-- What stands in the person's list only: everybody's is made whole, the person's loses what has ended or is gone.
local open = redis.call('ZRANGE', of_person, 0, -1, 'WITHSCORES')
for i = 1, #open, 2 do
  local id, at = open[i], open[i + 1]
  if not is_record(id) or IS_TERMINAL[redis.call('HGET', record_of(id), 'state')] then
    redis.call('ZREM', of_person, id)
  else
    redis.call('ZADD', of_everybody, 'NX', at, id)
  end
end
