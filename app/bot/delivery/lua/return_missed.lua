#!lua flags=allow-oom
local missed, events, conversation_prefix = unpack(KEYS)

-- What has been sent of it is in the ledger, and is not sent again.
for _, id in ipairs(redis.call('SMEMBERS', missed)) do
  redis.call('HDEL', conversation_prefix .. id, 'ended')
  redis.call('XADD', events, '*', 'type', 'done', 'request_id', id)
end
redis.call('DEL', missed)
