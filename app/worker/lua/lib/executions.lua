-- RQ's records of who works on what: RQ_KEYS of app/worker/put_back.py come first.
local job_prefix, execution_prefix, executions_prefix = unpack(KEYS, 1, 3)

local function job_of(id) return job_prefix .. id end
local function execution_of(composite) return execution_prefix .. composite end -- composite: job:execution
local function executions_of(id) return executions_prefix .. id end
local function parts_of(composite) return string.match(composite, '^(.+):([^:]+)$') end
local function last_claim(id) return redis.call('HGET', job_of(id), 'imagebot_claim') end
