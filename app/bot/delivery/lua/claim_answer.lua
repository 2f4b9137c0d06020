#!lua flags=allow-oom
-- include: guard clock
local ledger_entry = KEYS[1]
local sender, hold, ttl = ARGV[1], tonumber(ARGV[2]), ARGV[3] -- hold: seconds of the claim
local ended_answer, held_answer = tonumber(ARGV[4]), tonumber(ARGV[5])

-- Returns the attempt's number, or what says that the answer has been given, or that another is giving it.
local at = now()
local ended, claimed_by, expires = unpack(redis.call('HMGET', ledger_entry, 'ended', 'sender', 'held_until'))
if ended then return ended_answer end
if claimed_by and claimed_by ~= sender and tonumber(expires) > at then return held_answer end
redis.call('HSET', ledger_entry, 'sender', sender, 'held_until', at + hold)
redis.call('EXPIRE', ledger_entry, ttl)
return redis.call('HINCRBY', ledger_entry, 'attempts', 1)
