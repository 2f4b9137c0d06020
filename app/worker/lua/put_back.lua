#!lua flags=allow-oom
-- include: executions
local queue, leases, registry = unpack(KEYS, 4, 6)
local worker_executions = KEYS[7] -- with %s for the worker's name
local crashes_field, at_work_field = ARGV[1], ARGV[2] -- '' = nobody is to blame; says that a job was at work
local FIRST_PAIR = 3 -- from here on: an execution, and the score that its lease must still have ('' = any)

-- Puts jobs back at the head of their queue. Returns the ids that are queued again, oldest first. A lease ends in the
-- transaction that records a job's outcome; so a job whose lease stands has none. Of two leases of one job only the
-- last claim's puts it back.
local found = {}

local function is_held_by_another(id, execution)
  local last = last_claim(id)
  return last and last ~= execution and redis.call('ZSCORE', leases, id .. ':' .. last)
end

local function forget(composite, id, execution, worker)
  redis.call('ZREM', registry, composite)
  redis.call('DEL', execution_of(composite))
  redis.call('ZREM', executions_of(id), execution)
  if worker then redis.call('SREM', string.format(worker_executions, worker), composite) end
end

local function take_back(composite)
  redis.call('ZREM', leases, composite)
  local id, execution = parts_of(composite)
  local claimed_by, created_at, at_work = unpack(redis.call(
    'HMGET', execution_of(composite), 'worker_name', 'created_at', at_work_field))
  local status, worker = unpack(redis.call('HMGET', job_of(id), 'status', 'worker_name'))
  forget(composite, id, execution, claimed_by or worker)
  if is_held_by_another(id, execution) then return end
  if status == 'started' or status == 'scheduled' then -- scheduled: RQ says so a moment before it is done
    if crashes_field ~= '' and at_work == '1' then redis.call('HINCRBY', job_of(id), crashes_field, 1) end
    redis.call('HSET', job_of(id), 'status', 'queued')
    found[#found + 1] = {at = tonumber(created_at or '0'), id = id}
  end
end

for i = FIRST_PAIR, #ARGV, 2 do
  local composite, wanted = ARGV[i], ARGV[i + 1]
  local score = redis.call('ZSCORE', leases, composite)
  if score and (wanted == '' or tonumber(score) == tonumber(wanted)) then take_back(composite) end
end
table.sort(found, function(a, b) return a.at > b.at end)
local ids = {}
for i, job in ipairs(found) do
  redis.call('LPUSH', queue, job.id)
  ids[#found - i + 1] = job.id
end
return ids
