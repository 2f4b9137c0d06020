#!lua flags=allow-oom
-- include: guard clock executions
local suspended, paused, worker_executions = unpack(KEYS, 4, 6)
local n = tonumber(ARGV[1]) -- queues; of each, in the order of their priority:
local function queue(q) return KEYS[6 + q] end
local function leases(q) return KEYS[6 + n + q] end
local function registry(q) return KEYS[6 + 2 * n + q] end
local lease, worker, at_text = tonumber(ARGV[2]), ARGV[3], ARGV[4] -- s; name; the time as RQ writes it
local rq_lease, execution_ttl = tonumber(ARGV[5]), ARGV[6] -- s
local cap, low_share = tonumber(ARGV[7]), tonumber(ARGV[8]) -- leases in all, and of the last queue
local at_work_field = ARGV[9] -- set if a job is at work from the start ('' = it only waits)
local pause_ttl, probe_every = tonumber(ARGV[10]), tonumber(ARGV[11]) -- s
local FIRST_ID = 12 -- from here on: ids for the executions

-- Takes jobs from the queues. Returns why there are no more of them (claimed: there were none; full: the cap is
-- reached; suspended; paused), and of each job its queue's number, its id, its execution's and its hash.
if redis.call('EXISTS', suspended) == 1 then return {'suspended'} end
local at, running, wanted, claimed = now(), 0, #ARGV - FIRST_ID + 1, {}
local pause = redis.call('TTL', paused) -- -2: none; -1: for ever
if pause == -1 or pause > pause_ttl - probe_every then return {'paused'} end
if pause >= 0 then wanted = 1 end -- it probes
for q = 1, n do running = running + redis.call('ZCARD', leases(q)) end
local free = math.min(wanted, cap - running)

local function begin(q, id)
  local execution = ARGV[FIRST_ID + #claimed]
  local composite = id .. ':' .. execution
  redis.call('ZADD', leases(q), at + lease, composite)
  redis.call('ZADD', registry(q), at + rq_lease, composite)
  redis.call('ZADD', executions_of(id), at + rq_lease, execution)
  redis.call('EXPIRE', executions_of(id), rq_lease)
  redis.call('HSET', execution_of(composite), 'id', execution, 'job_id', id, 'last_heartbeat', at,
             'created_at', at + #claimed * 1e-6, -- keeps the order of jobs claimed, and put back, at once
             'worker_name', worker)
  if at_work_field ~= '' then redis.call('HSET', execution_of(composite), at_work_field, 1) end
  redis.call('EXPIRE', execution_of(composite), execution_ttl)
  redis.call('SADD', worker_executions, composite)
  redis.call('PERSIST', job_of(id))
  redis.call('HSET', job_of(id), 'status', 'started', 'started_at', at_text, 'last_heartbeat', at_text,
             'worker_name', worker, 'imagebot_claim', execution)
  claimed[#claimed + 1] = {q, id, execution, redis.call('HGETALL', job_of(id))}
end

local function take(q, most)
  while most > 0 and #claimed < free do
    local id = redis.call('LPOP', queue(q))
    if not id then return end
    if redis.call('HGET', job_of(id), 'status') == 'queued' then
      begin(q, id)
      most = most - 1
    end
  end
end

take(n, low_share - redis.call('ZCARD', leases(n)))
for q = 1, n do take(q, free) end
if pause >= 0 and #claimed > 0 then redis.call('EXPIRE', paused, pause_ttl) end
if pause >= 0 then return {'paused', unpack(claimed)} end
return {free > 0 and 'claimed' or 'full', unpack(claimed)}
