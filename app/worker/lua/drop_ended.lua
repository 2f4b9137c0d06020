#!lua flags=allow-oom
-- include: executions
local leases, running, of_worker = KEYS[4], KEYS[5], KEYS[6] -- executions: leased, by RQ's registry, of one worker
local composite = ARGV[1] -- job:execution

-- A job that has ended goes with its lease, unless somebody has claimed it since.
if redis.call('ZREM', leases, composite) == 0 then return end
local id, execution = parts_of(composite)
redis.call('ZREM', running, composite)
redis.call('SREM', of_worker, composite)
redis.call('ZREM', executions_of(id), execution)
redis.call('DEL', execution_of(composite))
if last_claim(id) == execution then redis.call('DEL', job_of(id)) end
