-- When to look at a request's status message next; KEYS of app/bot/delivery/status_board.py come first.
local waiting, drawing, conversation_prefix, record_prefix = unpack(KEYS, 1, 4)
local IS_DRAWN = {submitted = true, stored = true}

local function conversation_of(id) return conversation_prefix .. id end
local function record_of(id) return record_prefix .. id end
local function forget(id)
  redis.call('ZREM', waiting, id)
  redis.call('ZREM', drawing, id)
end
local function look_at(id, at)
  forget(id)
  local state = redis.call('HGET', record_of(id), 'state')
  if state and not IS_TERMINAL[state] then redis.call('ZADD', IS_DRAWN[state] and drawing or waiting, at, id) end
end
