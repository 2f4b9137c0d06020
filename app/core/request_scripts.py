"""The scripts through which requests begin, change and end: one step each, in Redis, whole or not at all.

What else changes with a request changes in the same step: its person's list of open requests and last results, the
money set aside for it, its batch, the requests that wait for the same result, and the event that tells of it.
"""

from typing import Final

from app.core import queues, redis_keys

UNTOLD_TTL: Final = 7 * 24 * 3600
"""Seconds that the record of a request that has ended is kept for its person to be told."""
ENDED_TTL: Final = 24 * 3600
"""Seconds that the record of a request without a result is kept once its person has been told."""
HISTORY_TTL: Final = 30 * 24 * 3600
"""Seconds that the record of a result is kept while it is among its person's last ones."""
HISTORY_MAX: Final = 50
"""Results of one person that are kept."""
FORGOTTEN_TTL: Final = 3600
"""Seconds that the record of a result that its person has is kept once it has left the history."""
_SPEND_TTL: Final = 3 * 24 * 3600
_IN_FLIGHT_TTL: Final = 24 * 3600
_RESULT_TTL: Final = 120
"""Seconds that a result is found by what was asked before the cache has to know it."""
_USUAL, _LOWEST = (queues.QUEUES.index(queue) + 1 for queue in (queues.QUEUE, queues.QUEUE_LOW))
_SPEND: Final = redis_keys.spend("' .. day .. '", "' .. user .. '")

# Records name each other by id, so keys are made here; all lie in one Redis (no cluster).
_COMMON: Final = f"""
local function record_of(id) return '{redis_keys.request("")}' .. id end
local function open_of(user, batch)
  return (batch and batch ~= '' and '{redis_keys.open_batch("")}' or '{redis_keys.open_requests("")}') .. user
end
local function history_of(user) return '{redis_keys.history("")}' .. user end
local function joined_to(id) return '{redis_keys.joined("")}' .. id end
local function in_flight(cache_key) return '{redis_keys.in_flight("")}' .. cache_key end
local function batch_of(id) return '{redis_keys.batch("")}' .. id end
local function spend_of(user, day) return '{_SPEND}' end
local function emit(type, id)
  redis.call('XADD', '{redis_keys.EVENTS}', '*', 'type', type, 'request_id', id)
end
local function spend(user, day, cost)
  for _, whose in ipairs({{'all', user}}) do
    redis.call('INCRBY', spend_of(whose, day), string.format('%d', cost))
    redis.call('EXPIRE', spend_of(whose, day), {_SPEND_TTL})
  end
end
local function remember(id, user, at)
  redis.call('EXPIRE', record_of(id), {HISTORY_TTL})
  redis.call('ZADD', history_of(user), at, id)
  redis.call('EXPIRE', history_of(user), {HISTORY_TTL})
  local surplus = redis.call('ZCARD', history_of(user)) - {HISTORY_MAX}
  if surplus > 0 then
    for _, old in ipairs(redis.call('ZRANGE', history_of(user), 0, surplus - 1)) do
      local told = redis.call('HEXISTS', record_of(old), 'told') == 1
      redis.call('EXPIRE', record_of(old), told and {FORGOTTEN_TTL} or {UNTOLD_TTL})
    end
    redis.call('ZREMRANGEBYRANK', history_of(user), 0, surplus - 1)
  end
end
"""

# ARGV: id, request as JSON, user, cost (micro-dollars), day, cache key ('' = none), batch ('' = none), time (Unix s),
# queue's key and rank (1 = served first), then limits: open requests, jobs in the queue, micro-dollars a day for all
# and for the person (0 = no limit); then pictures and file ids of a result that is known already, as JSON ('' = it is
# not), and the request that made one whose pictures are gone ('' = none). Who wants what is just being made joins,
# unless it waits in a queue of a lower rank than one's own.
# Returns a verdict and a number: queued (and how many jobs wait), joined, done; known (and 1 if its job is to be in
# the queue); or what refused it: banned, open, full, spend, user-spend.
ADMIT: Final = (
    _COMMON
    + f"""
local id, request, user, cost, day, cache_key, batch, at, queue, rank = unpack(ARGV, 1, 10)
local open_max, queue_max, spend_max, user_max, known_media, known_files, gone = unpack(ARGV, 11, 17)
local record = record_of(id)
local state, leader = unpack(redis.call('HMGET', record, 'state', 'joined_to'))
if state then return {{'known', state == 'queued' and not leader and 1 or 0}} end
if redis.call('SISMEMBER', '{redis_keys.BANNED}', user) == 1 then return {{'banned', 0}} end

local function create(state, ...)
  redis.call('HSET', record, 'id', id, 'request', request, 'user', user, 'day', day, 'state', state, ...)
  if batch ~= '' then redis.call('HSET', record, 'batch', batch) end
  if state ~= 'done' then
    redis.call('ZADD', open_of(user, batch), at, id)
    redis.call('ZADD', '{redis_keys.OPEN_REQUESTS}', at, id)
  end
end

leader = cache_key ~= '' and redis.call('GET', in_flight(cache_key))
if leader == gone then leader = false end
local leads, leads_rank
if leader then
  local media, files
  leads, leads_rank, media, files = unpack(redis.call(
    'HMGET', record_of(leader), 'state', 'rank', 'media', 'file_ids'))
  if leads == 'done' and known_media == '' then known_media, known_files = media, files or '[]' end
end
if known_media ~= '' then
  create('done', 'media', known_media, 'file_ids', known_files, 'done_at', at)
  if batch ~= '' then redis.call('HINCRBY', batch_of(batch), 'done', 1) end
  remember(id, user, at)
  emit('done', id)
  return {{'done', 0}}
end
if batch == '' and redis.call('ZCARD', open_of(user)) >= tonumber(open_max) then
  local open = 0
  for _, other in ipairs(redis.call('ZRANGE', open_of(user), 0, -1)) do
    -- One that is lost must not lock its owner out.
    if redis.call('TYPE', record_of(other)).ok == 'hash' and redis.call('HEXISTS', record_of(other), 'user') == 1 then
      open = open + 1
    else redis.call('ZREM', open_of(user), other) end
  end
  if open >= tonumber(open_max) then return {{'open', 0}} end
end
local as = ({{queued = 'queued', submitting = 'queued', submitted = 'submitted', stored = 'submitted'}})[leads or '']
if as and (leads ~= 'queued' or tonumber(leads_rank) <= tonumber(rank)) then
  create(as, 'joined_to', leader)
  redis.call('RPUSH', joined_to(leader), id)
  return {{'joined', 0}}
end
local waiting = redis.call('LLEN', queue)
if waiting >= tonumber(queue_max) then return {{'full', waiting}} end
local function over(max, key)
  return tonumber(max) > 0 and tonumber(redis.call('GET', key) or 0) + cost > tonumber(max)
end
if over(spend_max, spend_of('all', day)) then return {{'spend', 0}} end
if over(user_max, spend_of(user, day)) then return {{'user-spend', 0}} end
create('queued', 'cost', cost, 'rank', rank)
spend(user, day, cost)
if cache_key ~= '' then
  redis.call('HSET', record, 'cache_key', cache_key)
  redis.call('SET', in_flight(cache_key), id, 'EX', {_IN_FLIGHT_TTL})
end
return {{'queued', waiting}}
"""
)

# KEYS: record. ARGV: file ids, as JSON. A record that has expired just now is not made anew.
SENT: Final = "if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'file_ids', ARGV[1]) end"

# ARGV: request. From here on its record is kept only for what may still be asked of it.
TOLD: Final = (
    _COMMON
    + f"""
local record = record_of(ARGV[1])
local state, user = unpack(redis.call('HMGET', record, 'state', 'user'))
if not state then return end
redis.call('HSET', record, 'told', 1)
if state ~= 'done' then redis.call('EXPIRE', record, {ENDED_TTL})
elseif not redis.call('ZSCORE', history_of(user), ARGV[1]) then redis.call('EXPIRE', record, {FORGOTTEN_TTL}) end
"""
)

# KEYS: record, lease set. ARGV: execution ('' = no lease needed), new state, comma-separated states it may be entered
# from, event's type ('' = none), time (Unix s), pairs to set...
# A lease holds as long as it stands in its set: whoever takes the job over removes it first. If a hand queued the job
# again meanwhile, there are two: the last claim's holds.
ADVANCE: Final = (
    _COMMON
    + f"""
local state, id, leads_to = unpack(redis.call('HMGET', KEYS[1], 'state', 'id', 'joined_to'))
local entered, event, at = ARGV[2], ARGV[4], ARGV[5]
if not state then return 'missing' end
if ARGV[1] ~= '' then
  local claim = redis.call('HGET', 'rq:job:' .. id, '{redis_keys.CLAIM_FIELD}')
  local superseded = claim and ARGV[1] ~= id .. ':' .. claim
  if superseded or not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 'lease-lost' end
end
if not string.find(',' .. ARGV[3] .. ',', ',' .. state .. ',', 1, true) then return state end

-- What a request that ends leaves behind. The money goes back unless fal has, or may have, drawn for it. A result
-- serves who asks for the same for a while, until it is in the cache.
local function settle(id, state, reason)
  local record = record_of(id)
  local user, day, cost, cache_key, batch, fal, submits, leader = unpack(
    redis.call('HMGET', record, 'user', 'day', 'cost', 'cache_key', 'batch', 'fal', 'submits', 'joined_to'))
  redis.call('EXPIRE', record, {UNTOLD_TTL})
  redis.call('ZREM', '{redis_keys.OPEN_REQUESTS}', id)
  if not user then return end
  redis.call('ZREM', open_of(user, batch), id)
  local unasked = (not fal or fal == '') and (submits or '0') == '0' -- submits of unknown fate count
  if cost and state ~= 'done' and (unasked and reason ~= 'outcome-unknown' or reason == 'bad-input') then
    spend(user, day, -cost)
  end
  if cache_key and redis.call('GET', in_flight(cache_key)) == id then
    redis.call('EXPIRE', in_flight(cache_key), state == 'done' and {_RESULT_TTL} or 0)
  end
  if leader then redis.call('LREM', joined_to(leader), 0, id) end
  if batch then redis.call('HINCRBY', batch_of(batch), state, 1) end
  if state == 'done' then remember(id, user, at) end
end

local function wait_again(id)
  redis.call('HSET', record_of(id), 'state', 'queued')
  redis.call('HDEL', record_of(id), 'submitted_at')
end

-- The first of those that joined a cancelled request takes its place, one of a batch only if there is no other; the
-- bot hears of it, and queues it.
local function replace(id, joined)
  local place = 1
  for i, other in ipairs(joined) do
    if redis.call('HEXISTS', record_of(other), 'batch') == 0 then place = i break end
  end
  local heir = table.remove(joined, place)
  local cost, cache_key = unpack(redis.call('HMGET', record_of(id), 'cost', 'cache_key'))
  local user, day = unpack(redis.call('HMGET', record_of(heir), 'user', 'day'))
  local rank = redis.call('HEXISTS', record_of(heir), 'batch') == 1 and {_LOWEST} or {_USUAL}
  wait_again(heir)
  redis.call('HDEL', record_of(heir), 'joined_to')
  redis.call('HSET', record_of(heir), 'cost', cost, 'cache_key', cache_key, 'rank', rank)
  redis.call('SET', in_flight(cache_key), heir, 'EX', {_IN_FLIGHT_TTL})
  spend(user, day, cost)
  for _, other in ipairs(joined) do
    wait_again(other)
    redis.call('HSET', record_of(other), 'joined_to', heir)
    redis.call('RPUSH', joined_to(heir), other)
  end
  emit('queued', heir)
end

local told = event == 'started' and redis.call('HEXISTS', KEYS[1], entered .. '_at') == 1
local joined = redis.call('LRANGE', joined_to(id), 0, -1)
redis.call('HSET', KEYS[1], 'state', entered, entered .. '_at', at, unpack(ARGV, 6))
if event ~= '' and not told then emit(event, id) end
if entered == 'submitted' then
  for _, other in ipairs(joined) do
    redis.call('HSET', record_of(other), 'state', entered, entered .. '_at', at)
    if not told then emit(event, other) end
  end
elseif entered == 'queued' then
  for _, other in ipairs(joined) do wait_again(other) end
elseif entered == 'done' or entered == 'failed' or entered == 'cancelled' then
  local media, reason = unpack(redis.call('HMGET', KEYS[1], 'media', 'reason'))
  settle(id, entered, reason)
  redis.call('DEL', joined_to(id))
  if entered == 'cancelled' then
    if #joined > 0 then replace(id, joined) end
  else
    for _, other in ipairs(joined) do
      redis.call('HSET', record_of(other), 'state', entered, entered .. '_at', at,
                 'media', media or '[]', 'reason', reason or '')
      emit(event, other)
      settle(other, entered, reason)
    end
  end
end
return 'advanced'
"""
)
