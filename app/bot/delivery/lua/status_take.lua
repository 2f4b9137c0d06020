#!lua flags=allow-oom
-- include: clock states status
local count, lease = tonumber(ARGV[1]), tonumber(ARGV[2]) -- requests at most; s

-- Returns the time and a row for each request: id, then what was said and what is known of it. What has nothing to
-- show any more is dropped. Drawing and waiting ones get half each, the drawing ones the rest: they are as many as fal
-- takes at once, and would otherwise wait for all that wait.
local at, rows = now(), {}
local function take(key, most)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', at, 'LIMIT', 0, math.max(0, most))) do
    local chat, message, locale, shown, operation, ended = unpack(redis.call(
      'HMGET', conversation_of(id), 'chat_id', 'status_message_id', 'locale', 'shown', 'operation', 'ended'))
    local state, joined_to, started_at = unpack(redis.call(
      'HMGET', record_of(id), 'state', 'joined_to', 'submitted_at'))
    if ended or not message or not state or IS_TERMINAL[state] then
      forget(id)
    else
      redis.call('ZADD', key, at + lease, id)
      rows[#rows + 1] = {id, chat, message, locale, shown, operation, state, joined_to or '', started_at or ''}
    end
  end
end
take(drawing, math.ceil(count / 2))
take(waiting, count - #rows)
take(drawing, count - #rows)
return {string.format('%.6f', at), rows}
