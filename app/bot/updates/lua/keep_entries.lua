#!lua flags=allow-oom
local inbox = KEYS[1]
local group, consumer = ARGV[1], ARGV[2] -- then entries

-- An entry that another instance has taken meanwhile stays with it.
for i = 3, #ARGV do
  local entry = ARGV[i]
  if #redis.call('XPENDING', inbox, group, entry, entry, 1, consumer) == 1 then
    redis.call('XCLAIM', inbox, group, consumer, 0, entry, 'JUSTID')
  end
end
