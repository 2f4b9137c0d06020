#!lua flags=allow-oom
-- include: states records
local turn, open_requests, suspects, counters, followers_prefix, job_prefix = unpack(KEYS, 2, 7)
local turn_ms, suspicion, heals_max = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]) -- suspicion: s
local requeued, ended, forgotten = ARGV[4], ARGV[5], ARGV[6] -- names of counters
local FIRST_NAME = 7 -- from here on: the queues' names
-- Of each queue: list, lease set, schedule, and the registries of finished, failed and cancelled jobs.
local FIRST_QUEUE, PER_QUEUE = 8, 6

-- Returns what is to be done, or was: pairs of a request's id and `enqueue` (its job is to be made anew), `requeued`,
-- `end` or `forgotten` (its record is gone); or `unqueued`: its bot died before it made the job, so make it.
if not redis.call('SET', turn, '1', 'NX', 'PX', turn_ms) then return {} end
local at, healed = tonumber(redis.call('TIME')[1]), {}
local function tell(id, what, counter)
  redis.call('ZREM', suspects, id)
  redis.call('HINCRBY', counters, counter, 1)
  healed[#healed + 1] = {id, what}
end

local in_hand, number_of = {}, {}
for i, name in ipairs({unpack(ARGV, FIRST_NAME)}) do
  local first = FIRST_QUEUE + (i - 1) * PER_QUEUE
  local queue, leases, schedule = unpack(KEYS, first, first + 2)
  number_of[name] = first
  for _, id in ipairs(redis.call('LRANGE', queue, 0, -1)) do in_hand[id] = true end
  for _, composite in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    in_hand[string.match(composite, '^(.+):[^:]+$') or composite] = true
  end
  for _, id in ipairs(redis.call('ZRANGE', schedule, 0, -1)) do in_hand[id] = true end
end

local function is_open(id)
  local state = is_record(id) and redis.call('HGET', record_of(id), 'state')
  return state and not IS_TERMINAL[state]
end

local function heal(id, state, leader, request)
  local known, wish = pcall(cjson.decode, request or '')
  local first = known and type(wish) == 'table' and number_of[wish.queue or '']
  if leader then
    redis.call('LREM', followers_prefix .. leader, 0, id)
    redis.call('HDEL', record_of(id), 'joined_to')
  end
  if IS_TERMINAL[state] == nil or leader then -- its state is none, or was that of who made its picture
    local fal, submits = unpack(redis.call('HMGET', record_of(id), 'fal', 'submits'))
    local asked = fal and fal ~= '' and 'submitted' or (tonumber(submits or 0) or 0) > 0 and 'submitting'
    redis.call('HSET', record_of(id), 'state', asked or 'queued')
  end
  redis.call('HSET', record_of(id), 'id', id)
  local job = job_prefix .. id
  local has_job = redis.call('HEXISTS', job, 'data') == 1
  if redis.call('HDEL', record_of(id), 'unqueued') == 1 and first and not has_job then
    redis.call('ZREM', suspects, id)
    healed[#healed + 1] = {id, 'unqueued'}
    return
  end
  if not first or redis.call('HINCRBY', record_of(id), 'heals', 1) > heals_max then
    return tell(id, 'end', ended)
  end
  for i = 3, PER_QUEUE - 1 do redis.call('ZREM', KEYS[first + i], id) end
  if not has_job then
    redis.call('DEL', job)
    return tell(id, 'enqueue', requeued)
  end
  redis.call('HSET', job, 'status', 'queued')
  redis.call('HDEL', job, 'ended_at')
  redis.call('PERSIST', job)
  redis.call('LPUSH', KEYS[first], id)
  tell(id, 'requeued', requeued)
end

local suspected = {}
for _, id in ipairs(redis.call('ZRANGE', suspects, 0, -1)) do suspected[id] = true end
for _, id in ipairs(redis.call('ZRANGE', open_requests, 0, -1)) do
  local suspect = false
  if not in_hand[id] and not is_record(id) then
    redis.call('DEL', record_of(id))
    redis.call('ZREM', open_requests, id)
    tell(id, 'forgotten', forgotten)
  elseif not in_hand[id] then
    local state, leader, request = unpack(redis.call('HMGET', record_of(id), 'state', 'joined_to', 'request'))
    if IS_TERMINAL[state] then
      redis.call('ZREM', open_requests, id) -- ended by the release before, which does not know this set
    elseif not (leader and is_open(leader)) then
      suspect = true
      redis.call('ZADD', suspects, 'NX', at, id)
      if at - redis.call('ZSCORE', suspects, id) >= suspicion then heal(id, state, leader, request) end
    end
  end
  if suspected[id] and not suspect then redis.call('ZREM', suspects, id) end
  suspected[id] = nil
end
for id in pairs(suspected) do redis.call('ZREM', suspects, id) end
return healed
