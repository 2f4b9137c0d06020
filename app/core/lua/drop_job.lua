#!lua flags=allow-oom
local job, record, queue_prefix, schedule_prefix = unpack(KEYS)
local id, moving_ttl = ARGV[1], ARGV[2] -- moving_ttl: seconds that a job which is just being moved is kept

-- Takes a job that waits, and that fal has never had, out of Redis. Returns the job's status.
local status, queue = unpack(redis.call('HMGET', job, 'status', 'origin'))
local fal, submits = unpack(redis.call('HMGET', record, 'fal', 'submits'))
local with_fal = fal and fal ~= '' or tonumber(submits or 0) > 0
if (status == 'queued' or status == 'scheduled') and not with_fal then
  local waited = redis.call('LREM', queue_prefix .. (queue or ''), 0, id)
               + redis.call('ZREM', schedule_prefix .. (queue or ''), id)
  if waited > 0 then redis.call('DEL', job) else redis.call('EXPIRE', job, moving_ttl) end
end
return status
