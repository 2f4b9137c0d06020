#!lua flags=allow-oom
-- include: is_ours
local ledger_entry = KEYS[1]
local sender, attempt, message = unpack(ARGV, 1, 3) -- message: the one that becomes the next picture

if not is_ours(ledger_entry, sender, attempt) then return 0 end
redis.call('HSET', ledger_entry, 'place', message)
return 1
