"""The script that puts jobs back, with hardly an import: what runs after a worker's death must not wait for them."""

from typing import Final

from app.core import redis_keys

CRASHES_FIELD: Final = "imagebot_crashes"
"""Field of a job's hash: how many workers died while it was at work in them."""
AT_WORK_FIELD: Final = "at_work"
"""Field of an execution's hash: 1 while the job does what its worker may die of. Blame needs it: a record that is
gone, after a long outage, say, accuses nobody."""

KEYS: Final = f"""
local function execution_key(composite) return 'rq:execution:' .. composite end
local function last_claim(id) return redis.call('HGET', 'rq:job:' .. id, '{redis_keys.CLAIM_FIELD}') end
local function seconds() local t = redis.call('TIME'); return tonumber(t[1]) + tonumber(t[2]) / 1e6 end
"""

# KEYS: queue, lease set, registry. ARGV: field that counts crashes ('' = nobody is to blame), field that says a job
# was at work, then pairs: an execution, and the score that its lease must still have ('' = any). Returns the ids that
# are queued again, oldest first. A lease ends in the transaction that records a job's outcome; so a job whose lease
# stands has none. Of two leases of one job only the last claim's puts it back.
PUT_BACK: Final = (
    KEYS
    + """
local found = {}
for i = 3, #ARGV, 2 do
  local composite, score = ARGV[i], redis.call('ZSCORE', KEYS[2], ARGV[i])
  if score and (ARGV[i + 1] == '' or tonumber(score) == tonumber(ARGV[i + 1])) then
    redis.call('ZREM', KEYS[2], composite)
    local id, ex = string.match(composite, '^(.+):([^:]+)$')
    local record = redis.call('HMGET', execution_key(composite), 'worker_name', 'created_at', ARGV[2])
    redis.call('ZREM', KEYS[3], composite)
    redis.call('DEL', execution_key(composite))
    redis.call('ZREM', 'rq:executions:' .. id, ex)
    local status, worker = unpack(redis.call('HMGET', 'rq:job:' .. id, 'status', 'worker_name'))
    worker = record[1] or worker
    if worker then redis.call('SREM', 'rq:worker:' .. worker .. ':executions', composite) end
    local last = last_claim(id)
    if last and last ~= ex and redis.call('ZSCORE', KEYS[2], id .. ':' .. last) then status = nil end
    if status == 'started' or status == 'scheduled' then -- scheduled: RQ says so a moment before it is done
      if ARGV[1] ~= '' and record[3] == '1' then redis.call('HINCRBY', 'rq:job:' .. id, ARGV[1], 1) end
      redis.call('HSET', 'rq:job:' .. id, 'status', 'queued')
      found[#found + 1] = {tonumber(record[2] or '0'), id}
    end
  end
end
table.sort(found, function(a, b) return a[1] > b[1] end)
local ids = {}
for i, entry in ipairs(found) do
  redis.call('LPUSH', KEYS[1], entry[2])
  ids[#found - i + 1] = entry[2]
end
return ids
"""
)
