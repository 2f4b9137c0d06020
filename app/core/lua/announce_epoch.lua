#!lua flags=allow-oom
-- include: epoch
local epoch_key = KEYS[1]
local number, tick = tonumber(ARGV[1]), tonumber(ARGV[2]) -- the highest that the caller has seen

-- Begins the epoch after all that were seen.
local _, _, seen_number, _, behind = read_epoch(epoch_key, number, tick)
if behind then
  redis.call('HSET', epoch_key, 'number', seen_number + 1, 'tick', 1)
  redis.call('HDEL', epoch_key, 'seen_number', 'seen_tick')
end
