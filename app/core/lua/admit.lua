-- include: guard requests
local banned, queue = KEYS[11], KEYS[12]
local id, request, user = ARGV[2], ARGV[3], ARGV[4] -- request: JSON
local cost, day = tonumber(ARGV[5]), ARGV[6] -- micro-dollars; YYYY-MM-DD
local cache_key, batch, at = ARGV[7], ARGV[8], ARGV[9] -- '' = none; Unix s
local rank = tonumber(ARGV[10]) -- of the queue: 1 is served first
local open_max, queue_max = tonumber(ARGV[11]), tonumber(ARGV[12]) -- requests of the person, jobs in the queue
local spend_max, user_spend_max = tonumber(ARGV[13]), tonumber(ARGV[14]) -- micro-dollars a day (0 = no limit)
local known_media, known_files = ARGV[15], ARGV[16] -- of a result that is known already, JSON ('' = it is not)
local gone = ARGV[17] -- the request that made a result whose pictures are gone ('' = none)

-- Decides about a new request, and records it unless it is refused. Returns a verdict and a number: queued (and how
-- many jobs wait), joined, done; known (and 1 if its job is to be in the queue); or what refused it: banned, open,
-- full, spend, user-spend.
local record = record_of(id)

local function create(state, ...)
  redis.call('HSET', record, 'id', id, 'request', request, 'user', user, 'day', day, 'state', state, ...)
  if batch ~= '' then redis.call('HSET', record, 'batch', batch) end
  if state ~= 'done' then
    redis.call('ZADD', open_of(user, batch), at, id)
    redis.call('ZADD', open_requests, at, id)
  end
end

-- Who asks for what has just been made, or is being made, is served by that: its request leads.
local function leader_of_the_same()
  local leader = cache_key ~= '' and redis.call('GET', in_flight(cache_key))
  if not leader or leader == gone then return end
  local state, leads_rank, media, files = unpack(redis.call(
    'HMGET', record_of(leader), 'state', 'rank', 'media', 'file_ids'))
  return leader, state, tonumber(leads_rank or 0), media, files
end

-- The state in which a request joins a leader, if it may: not one that waits in a queue of a lower rank than its own.
local function state_to_join_in(state, leads_rank)
  if state == 'queued' then return leads_rank <= rank and 'queued' end
  return ({submitting = 'queued', submitted = 'submitted', stored = 'submitted'})[state or '']
end

local function has_too_many_open()
  if batch ~= '' or redis.call('ZCARD', open_of(user)) < open_max then return false end
  local open = 0
  for _, other in ipairs(redis.call('ZRANGE', open_of(user), 0, -1)) do
    -- One that is lost must not lock its owner out.
    if redis.call('TYPE', record_of(other)).ok == 'hash' and redis.call('HEXISTS', record_of(other), 'user') == 1 then
      open = open + 1
    else
      redis.call('ZREM', open_of(user), other)
    end
  end
  return open >= open_max
end

local function is_too_dear(max, who)
  return max > 0 and tonumber(redis.call('GET', spent_by(who, day)) or 0) + cost > max
end

local state, follows = unpack(redis.call('HMGET', record, 'state', 'joined_to'))
if state then return {'known', state == 'queued' and not follows and 1 or 0} end
if redis.call('SISMEMBER', banned, user) == 1 then return {'banned', 0} end

local leader, leads, leads_rank, media, files = leader_of_the_same()
if leads == 'done' and known_media == '' then known_media, known_files = media, files or '[]' end
if known_media ~= '' then
  create('done', 'media', known_media, 'file_ids', known_files, 'done_at', at, 'known', 1)
  count_in_batch(batch, 'done')
  remember(id, user, at)
  emit('done', id)
  return {'done', 0}
end

if has_too_many_open() then return {'open', 0} end
local joins_in = state_to_join_in(leads, leads_rank)
if joins_in then
  create(joins_in, 'joined_to', leader)
  redis.call('RPUSH', followers_of(leader), id)
  return {'joined', 0}
end

local waiting = redis.call('LLEN', queue)
if waiting >= queue_max then return {'full', waiting} end
if is_too_dear(spend_max, 'all') then return {'spend', 0} end
if is_too_dear(user_spend_max, user) then return {'user-spend', 0} end
create('queued', 'cost', cost, 'rank', rank, 'unqueued', 1) -- until its job is in RQ's queue
spend(user, day, cost)
if cache_key ~= '' then
  redis.call('HSET', record, 'cache_key', cache_key)
  lead(id, cache_key)
end
return {'queued', waiting}
