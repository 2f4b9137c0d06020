#!lua flags=allow-oom
-- include: guard requests states
local record, job, leases = KEYS[11], KEYS[12], KEYS[13] -- leases: absent if no lease is needed
local execution = ARGV[2] -- whose lease must hold ('' = no lease is needed)
local entered, entered_from = ARGV[3], ARGV[4] -- the new state, and those that it may be entered from, with commas
local event, at = ARGV[5], ARGV[6] -- '' = none; Unix s
local usual_rank, lowest_rank = ARGV[7], ARGV[8] -- of the queues for one that is promoted: by itself, of a batch
local FIRST_FIELD = 9 -- from here on: pairs of fields to set

-- Moves a request from one state to another; docs/requests.md has the table. Returns 'advanced', or why it did not:
-- 'missing', 'lease-lost', or the state that it is in.
local state, id = unpack(redis.call('HMGET', record, 'state', 'id'))

-- A lease holds as long as it stands in its set: whoever takes the job over removes it first. If a hand queued the job
-- again meanwhile, there are two: the last claim's holds.
local function holds_lease()
  local last_claim = redis.call('HGET', job, 'imagebot_claim')
  local superseded = last_claim and execution ~= id .. ':' .. last_claim
  return not superseded and redis.call('ZSCORE', leases, execution)
end

local function may_be_entered()
  return string.find(',' .. entered_from .. ',', ',' .. state .. ',', 1, true)
end

-- The money goes back unless fal has, or may have, drawn for it; submits of unknown fate count.
local function is_refunded(ended_as, reason, fal, submits)
  if ended_as == 'done' then return false end
  local was_asked = fal and fal ~= '' or (submits or '0') ~= '0'
  return reason == 'bad-input' or reason == 'no-face' or not was_asked and reason ~= 'outcome-unknown'
end

-- What a request that ends leaves behind. A result serves who asks for the same for a while, until it is in the cache.
local function settle(ended, ended_as, reason)
  local user, day, cost, cache_key, batch, fal, submits, leader = unpack(redis.call(
    'HMGET', record_of(ended), 'user', 'day', 'cost', 'cache_key', 'batch', 'fal', 'submits', 'joined_to'))
  redis.call('EXPIRE', record_of(ended), keep.untold)
  redis.call('ZREM', open_requests, ended)
  if not user then return end
  redis.call('ZREM', open_of(user, batch), ended)
  if cost and is_refunded(ended_as, reason, fal, submits) then spend(user, day, -cost) end
  if cache_key and redis.call('GET', in_flight(cache_key)) == ended then
    redis.call('EXPIRE', in_flight(cache_key), ended_as == 'done' and keep.result or 0)
  end
  if leader then redis.call('LREM', followers_of(leader), 0, ended) end
  count_in_batch(batch, ended_as)
  if ended_as == 'done' then remember(ended, user, at) end
end

local function wait_again(follower)
  redis.call('HSET', record_of(follower), 'state', 'queued')
  redis.call('HDEL', record_of(follower), 'submitted_at')
end

-- The first follower of a cancelled request takes its place, one of a batch only if there is no other; the bot hears
-- of it, and queues it.
local function promote_one_of(followers)
  local place = 1
  for i, follower in ipairs(followers) do
    if redis.call('HEXISTS', record_of(follower), 'batch') == 0 then place = i break end
  end
  local promoted = table.remove(followers, place)
  local cost, cache_key = unpack(redis.call('HMGET', record, 'cost', 'cache_key'))
  local user, day, batch = unpack(redis.call('HMGET', record_of(promoted), 'user', 'day', 'batch'))
  wait_again(promoted)
  redis.call('HDEL', record_of(promoted), 'joined_to')
  redis.call('HSET', record_of(promoted), 'cost', cost, 'cache_key', cache_key,
             'rank', batch and lowest_rank or usual_rank)
  lead(promoted, cache_key)
  spend(user, day, cost)
  for _, follower in ipairs(followers) do
    wait_again(follower)
    redis.call('HSET', record_of(follower), 'joined_to', promoted)
    redis.call('RPUSH', followers_of(promoted), follower)
  end
  emit('queued', promoted)
end

-- fal draws for all who wait for this. That it has begun is told once, however often it is submitted.
local function tell_of_the_start(followers, told_before)
  for _, follower in ipairs(followers) do
    redis.call('HSET', record_of(follower), 'state', entered, entered .. '_at', at)
    if not told_before then emit(event, follower) end
  end
end

-- What became of this becomes of all who wait for it.
local function end_with(followers, media, reason)
  for _, follower in ipairs(followers) do
    redis.call('HSET', record_of(follower), 'state', entered, entered .. '_at', at,
               'media', media or '[]', 'reason', reason or '')
    emit(event, follower)
    settle(follower, entered, reason)
  end
end

if not state then return 'missing' end
if execution ~= '' and not holds_lease() then return 'lease-lost' end
if not may_be_entered() then return state end

local told_before = event == 'started' and redis.call('HEXISTS', record, entered .. '_at') == 1
local followers = redis.call('LRANGE', followers_of(id), 0, -1)
redis.call('HSET', record, 'state', entered, entered .. '_at', at, unpack(ARGV, FIRST_FIELD))
if event ~= '' and not told_before then emit(event, id) end

if entered == 'submitted' then
  tell_of_the_start(followers, told_before)
elseif entered == 'queued' then
  for _, follower in ipairs(followers) do wait_again(follower) end
elseif IS_TERMINAL[entered] then
  local media, reason = unpack(redis.call('HMGET', record, 'media', 'reason'))
  settle(id, entered, reason)
  redis.call('DEL', followers_of(id))
  if entered ~= 'cancelled' then
    end_with(followers, media, reason)
  elseif #followers > 0 then
    promote_one_of(followers)
  end
end
return 'advanced'
