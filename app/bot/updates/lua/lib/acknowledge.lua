local function acknowledge(inbox, begun, group, entry)
  redis.call('XACK', inbox, group, entry)
  redis.call('XDEL', inbox, entry)
  redis.call('HDEL', begun, entry)
end
