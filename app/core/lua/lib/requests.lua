-- What hangs on a request, for the scripts that begin, change and end requests: KEYS and KEEP of
-- app/core/request_scripts.py come first. Records name each other by id, so of most keys it is their beginning that
-- comes in; all lie in one Redis (no cluster).
local events, open_requests = KEYS[1], KEYS[2]
local record_prefix, open_prefix, open_batch_prefix, history_prefix = unpack(KEYS, 3, 6)
local followers_prefix, in_flight_prefix, batch_prefix, spend_format = unpack(KEYS, 7, 10)
local keep = cjson.decode(ARGV[1]) -- seconds that things are kept, and how many results, by name

local function record_of(id) return record_prefix .. id end
local function open_of(user, batch) return (batch and batch ~= '' and open_batch_prefix or open_prefix) .. user end
local function history_of(user) return history_prefix .. user end
local function followers_of(id) return followers_prefix .. id end
local function in_flight(cache_key) return in_flight_prefix .. cache_key end

local function emit(event, id)
  redis.call('XADD', events, '*', 'type', event, 'request_id', id)
end

-- Adds to the day's money (micro-dollars) of all and of the person; a negative cost gives back.
local function spent_by(who, day) return string.format(spend_format, who, day) end
local function spend(user, day, cost)
  for _, who in ipairs({'all', user}) do
    redis.call('INCRBY', spent_by(who, day), string.format('%d', cost))
    redis.call('EXPIRE', spent_by(who, day), keep.spend)
  end
end

-- A batch that was forgotten is not made anew.
local function count_in_batch(batch, state)
  local key = batch_prefix .. (batch or '')
  if redis.call('EXISTS', key) == 1 then redis.call('HINCRBY', key, state, 1) end
end

local function lead(id, cache_key)
  redis.call('SET', in_flight(cache_key), id, 'EX', keep.in_flight)
end

-- Puts a result among its person's last ones, and lets the oldest go.
local function remember(id, user, at)
  local history = history_of(user)
  redis.call('EXPIRE', record_of(id), keep.history)
  redis.call('ZADD', history, at, id)
  redis.call('EXPIRE', history, keep.history)
  local surplus = redis.call('ZCARD', history) - keep.history_max
  if surplus > 0 then
    for _, old in ipairs(redis.call('ZRANGE', history, 0, surplus - 1)) do
      local told = redis.call('HEXISTS', record_of(old), 'told') == 1
      redis.call('EXPIRE', record_of(old), told and keep.forgotten or keep.untold)
    end
    redis.call('ZREMRANGEBYRANK', history, 0, surplus - 1)
  end
end
