-- Whether an answer is still this sender's: not given, and not claimed by another, or anew, since.
local function is_ours(ledger_entry, sender, attempt)
  local ended, claimed_by, attempts = unpack(redis.call('HMGET', ledger_entry, 'ended', 'sender', 'attempts'))
  return not ended and claimed_by == sender and attempts == attempt
end
