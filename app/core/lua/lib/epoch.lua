-- Returns the present number and tick, the highest that anybody is known to have seen, and whether those are higher.
local function read_epoch(epoch_key, number, tick)
  local found = redis.call('HMGET', epoch_key, 'number', 'tick', 'seen_number', 'seen_tick')
  for i = 1, 4 do found[i] = tonumber(found[i] or 0) end
  local present_number, present_tick, seen_number, seen_tick = unpack(found)
  if number > seen_number or number == seen_number and tick > seen_tick then
    seen_number, seen_tick = number, tick
  end
  local behind = present_number < seen_number or present_number == seen_number and present_tick < seen_tick
  return present_number, present_tick, seen_number, seen_tick, behind
end
