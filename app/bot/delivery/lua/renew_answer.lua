#!lua flags=allow-oom
-- include: clock is_ours
local ledger_entry = KEYS[1]
local sender, attempt, hold = ARGV[1], ARGV[2], tonumber(ARGV[3]) -- hold: seconds of the claim

if not is_ours(ledger_entry, sender, attempt) then return 0 end
redis.call('HSET', ledger_entry, 'held_until', now() + hold)
return 1
