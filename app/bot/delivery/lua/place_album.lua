#!lua flags=allow-oom
-- include: is_ours
local ledger_entry, shown_prefix = unpack(KEYS)
local sender, attempt, request, ttl, album, file_ids = unpack(ARGV, 1, 6)
-- album: its messages, JSON; file_ids: Telegram's names of the pictures in it, JSON, if it is whole

if not is_ours(ledger_entry, sender, attempt) then return 0 end
redis.call('HSET', ledger_entry, 'album', album)
if file_ids then redis.call('HSET', ledger_entry, 'file_ids', file_ids) end
redis.call('EXPIRE', ledger_entry, ttl)
for i, message in ipairs(cjson.decode(album)) do
  redis.call('SET', shown_prefix .. message, request .. ':' .. (i - 1), 'EX', ttl)
end
return 1
