#!lua flags=allow-oom
-- include: epoch
local epoch_key = KEYS[1]
local number, tick = tonumber(ARGV[1]), tonumber(ARGV[2]) -- the highest that the caller has seen

-- Raises the tick, or, where more was seen, leaves that for the others to compare, so that a new bot recovers too.
-- Returns whether it was raised, and the highest number and tick.
local present, _, seen_number, seen_tick, behind = read_epoch(epoch_key, number, tick)
if behind then
  redis.call('HSET', epoch_key, 'seen_number', seen_number, 'seen_tick', seen_tick)
  return {0, seen_number, seen_tick}
end
return {1, present, redis.call('HINCRBY', epoch_key, 'tick', 1)}
