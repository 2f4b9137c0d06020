-- Every key that matches ARGV[1], in order, each as "key type time-of-death digest-of-its-value": equal lists, equal data.
-- A stream's groups, consumers and what they have in hand count too; how long they have been idle does not.
local canonical = {
  string = function(key) return redis.call('GET', key) end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key)
    local members = redis.call('SMEMBERS', key)
    table.sort(members)
    return members
  end,
  hash = function(key)
    local flat, rows = redis.call('HGETALL', key), {}
    for i = 1, #flat, 2 do rows[#rows + 1] = { flat[i], flat[i + 1] } end
    table.sort(rows, function(a, b) return a[1] < b[1] end)
    return rows
  end,
  stream = function(key)
    local groups = redis.call('XINFO', 'GROUPS', key)
    for _, group in ipairs(groups) do
      local in_hand = redis.call('XPENDING', key, group[2], '-', '+', 1000000)
      for _, entry in ipairs(in_hand) do entry[3] = 0 end
      group[#group + 1] = in_hand
    end
    return { redis.call('XRANGE', key, '-', '+'), groups }
  end,
}
local keys, lines = redis.call('KEYS', ARGV[1]), {}
table.sort(keys)
for _, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local value = redis.sha1hex(cjson.encode(canonical[kind](key)))
  lines[#lines + 1] = table.concat({ key, kind, redis.call('PEXPIRETIME', key), value }, ' ')
end
return lines
