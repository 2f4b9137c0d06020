local function strike_off(inbox, begun, group, entry)
  redis.call('XACK', inbox, group, entry)
  redis.call('XDEL', inbox, entry)
  redis.call('HDEL', begun, entry)
end
