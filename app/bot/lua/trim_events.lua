#!lua flags=allow-oom
local stream = KEYS[1]
local group, kept = ARGV[1], tonumber(ARGV[2]) -- kept: seconds

-- Drops what is older than that and has been delivered and acknowledged.
local function ms(id) return tonumber(string.match(id, '^%d+')) end
local first = (redis.call('TIME')[1] - kept) * 1000
for _, of_group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  for i = 1, #of_group, 2 do
    if of_group[i] == 'last-delivered-id' then first = math.min(first, ms(of_group[i + 1])) end
  end
end
local oldest = redis.call('XPENDING', stream, group)[2]
if oldest then first = math.min(first, ms(oldest)) end
return redis.call('XTRIM', stream, 'MINID', '~', string.format('%.0f', first))
