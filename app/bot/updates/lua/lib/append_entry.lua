-- Puts an update into the inbox. It names the one of its chat that it comes after, if that is still there;
-- last: the key of the chat's last entry.
local function append_entry(inbox, last, update, remembered)
  local after = redis.call('GET', last)
  local waits = after and #redis.call('XRANGE', inbox, after, after) == 1
  local id = redis.call('XADD', inbox, '*', 'update', update, 'after', waits and after or '')
  redis.call('SET', last, id, 'EX', remembered)
end
