local broadcast, recipients, decided, users, banned = unpack(KEYS)
local id, chat, message, progress_message = unpack(ARGV, 1, 4)
local decided_ttl = ARGV[5]

local state = redis.call('HGET', broadcast, 'state')
if state == 'running' or state == 'stopping' then
  return redis.call('HGET', broadcast, 'id') == id and 'known' or 'busy'
end
if not redis.call('SET', decided, 1, 'NX', 'EX', decided_ttl) then return 'known' end
redis.call('DEL', broadcast)
local total = redis.call('ZDIFFSTORE', recipients, 2, users, banned)
redis.call('HSET', broadcast, 'id', id, 'chat_id', chat, 'message_id', message, 'progress_id', progress_message,
           'state', 'running', 'total', total, 'sent', 0, 'gone', 0, 'failed', 0)
return 'started'
