-- A script that includes this does nothing, and answers BEHIND, while Redis knows less than its caller has seen
-- (app/core/epoch.py). The last of KEYS is the epoch, the last two of ARGV are the highest number and tick that the
-- caller knows, zeros for one who goes by any copy; they are gone when the script begins.
do
  local epoch_key = table.remove(KEYS)
  local tick, number = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
  local found = redis.call('HMGET', epoch_key, 'number', 'tick')
  local present = tonumber(found[1] or 0)
  if present < number or present == number and tonumber(found[2] or 0) < tick then
    return redis.error_reply('BEHIND Redis knows less than it did')
  end
end
