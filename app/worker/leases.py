"""Claims and leases: who works on which job, decided in Redis and nowhere else.

A claim is one script: the job leaves its queue, its lease begins, and RQ's registries learn of the execution, all at
once; there is no instant in which a job is only in some process's memory. A lease that nobody renews is noticed by
the other workers (``app/worker/lease_watch.py``), and one of them puts the job back at the head of its queue.

RQ's own lease (the score in ``rq:wip:*``) is set far ahead on purpose: its cleanup, which ``rq info`` and exporters
run too, puts one job into the queue twice when it runs twice at a time, and fails jobs that have no retries left.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from uuid import uuid4

from redis.asyncio import Redis
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.queue import Queue
from rq.registry import StartedJobRegistry
from rq.suspension import WORKERS_SUSPENDED
from rq.utils import now, utcformat

from app.core import pause, redis_keys
from app.core.epoch import NO_EPOCH, Epoch
from app.core.redis_clients import script
from app.worker.lease_watch import LeaseWatch
from app.worker.put_back import AT_WORK_FIELD, CRASHES_FIELD, KEYS, PUT_BACK

RQ_LEASE: Final = 24 * 3600
"""Seconds: the lease that RQ's registries show."""
EXECUTION_TTL: Final = 120
"""Seconds that RQ's record of an execution lives without a renewal."""
_PAUSE: Final = f"local PAUSE_TTL, PROBE_EVERY = {pause.TTL}, {pause.PROBE_EVERY}"

# KEYS: queues (priority order), lease sets, registries, then rq:suspended, paused, the worker's executions.
# ARGV: number of queues, lease s, worker's name, time as RQ writes it, RQ's lease s, execution's time to live s,
# cap on leases in all, share of the last queue, field that says a job is at work from the start ('' = it only waits),
# ids...
_CLAIM: Final = (
    KEYS
    + _PAUSE
    + f"\nlocal CLAIM_FIELD = '{redis_keys.CLAIM_FIELD}'"
    + """
local n, claimed = tonumber(ARGV[1]), {}
if redis.call('EXISTS', KEYS[3 * n + 1]) == 1 then return {'suspended'} end
local at, running, wanted = seconds(), 0, #ARGV - 9
local pause = redis.call('TTL', KEYS[3 * n + 2])
if pause == -1 or pause > PAUSE_TTL - PROBE_EVERY then return {'paused'} end
if pause >= 0 then wanted = 1 end
for q = 1, n do running = running + redis.call('ZCARD', KEYS[n + q]) end
local free = math.min(wanted, tonumber(ARGV[7]) - running)
local function take(q, most)
  while most > 0 and #claimed < free do
    local id = redis.call('LPOP', KEYS[q])
    if not id then return end
    local job = 'rq:job:' .. id
    if redis.call('HGET', job, 'status') == 'queued' then
      local ex = ARGV[10 + #claimed]
      local composite = id .. ':' .. ex
      redis.call('ZADD', KEYS[n + q], at + tonumber(ARGV[2]), composite)
      redis.call('ZADD', KEYS[2 * n + q], at + tonumber(ARGV[5]), composite)
      redis.call('ZADD', 'rq:executions:' .. id, at + tonumber(ARGV[5]), ex)
      redis.call('EXPIRE', 'rq:executions:' .. id, ARGV[5])
      redis.call('HSET', execution_key(composite), 'id', ex, 'job_id', id, 'last_heartbeat', at,
                 'created_at', at + #claimed * 1e-6, -- keeps the order of jobs claimed, and put back, at once
                 'worker_name', ARGV[3])
      if ARGV[9] ~= '' then redis.call('HSET', execution_key(composite), ARGV[9], 1) end
      redis.call('EXPIRE', execution_key(composite), ARGV[6])
      redis.call('SADD', KEYS[3 * n + 3], composite)
      redis.call('PERSIST', job)
      redis.call('HSET', job, 'status', 'started', 'started_at', ARGV[4], 'last_heartbeat', ARGV[4],
                 'worker_name', ARGV[3], CLAIM_FIELD, ex)
      claimed[#claimed + 1] = {q, id, ex, redis.call('HGETALL', job)}
      most = most - 1
    end
  end
end
take(n, tonumber(ARGV[8]) - redis.call('ZCARD', KEYS[2 * n]))
for q = 1, n do take(q, free) end
if pause >= 0 and #claimed > 0 then redis.call('EXPIRE', KEYS[3 * n + 2], PAUSE_TTL) end
if pause >= 0 then return {'paused', unpack(claimed)} end
return {free > 0 and 'claimed' or 'full', unpack(claimed)}
"""
)

# KEYS: lease sets. ARGV: lease s, time to live of RQ's record of an execution s, worker's name, pairs of set's number
# and execution.
# Returns the executions whose lease is gone, or whose job another has claimed since. A renewal raises the score, even
# if the clock has stepped back: one that stands still is a dead worker's.
_RENEW: Final = (
    KEYS
    + """
local at, lost = seconds(), {}
for i = 4, #ARGV, 2 do
  local key, composite = KEYS[tonumber(ARGV[i])], ARGV[i + 1]
  local score, id, ex = redis.call('ZSCORE', key, composite), string.match(composite, '^(.+):([^:]+)$')
  if score and (last_claim(id) or ex) == ex then
    redis.call('ZADD', key, 'XX', string.format('%.17g', math.max(at + ARGV[1], score + 0.001)), composite)
    if redis.call('TTL', execution_key(composite)) < ARGV[2] * 0.75 then
      redis.call('HSET', execution_key(composite), 'id', ex, 'job_id', id, 'worker_name', ARGV[3],
                 'last_heartbeat', at)
      redis.call('HSETNX', execution_key(composite), 'created_at', at) -- it has expired: an outage was longer
      redis.call('EXPIRE', execution_key(composite), ARGV[2])
    end
  else
    lost[#lost + 1] = composite
  end
end
return lost
"""
)


@dataclass(frozen=True, slots=True)
class Claim:
    """One job taken from ``queue``: its id, the execution's id, and the job's hash as Redis holds it."""

    queue: str
    job_id: str
    execution_id: str
    job_hash: dict[bytes, bytes]

    @property
    def composite(self) -> str:
        """The execution's name in lease sets and registries: ``job:execution``."""
        return f"{self.job_id}:{self.execution_id}"


class Leases:
    """The claims of one worker on ``queues`` (priority order), through a client that answers bytes."""

    def __init__(
        self,
        redis: Redis,
        worker_name: str,
        queues: Sequence[str],
        lease: float,
        *,
        blameless: bool = False,
        clock: Callable[[], float] = time.monotonic,
        epoch: Epoch = NO_EPOCH,
    ) -> None:
        """``blameless``: a claimed job is not to blame for its worker's death until it says that it is at work.

        ``epoch``: while Redis knows less than this nothing is claimed.
        """
        self._redis = redis
        self._worker_name = worker_name
        self._queues = list(queues)
        self._lease = lease
        self._at_work = "" if blameless else AT_WORK_FIELD
        self._lists = [Queue.redis_queue_namespace_prefix + name for name in queues]
        self._sets = [redis_keys.leases(name) for name in queues]
        self._registries = [StartedJobRegistry.key_template.format(name) for name in queues]
        self._executions = WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker_name)
        self._watch = LeaseWatch(lease, clock)
        self._claim = epoch.guard(redis, _CLAIM)
        self._renew = script(redis, _RENEW)
        self._put_back = script(redis, PUT_BACK)

    async def claim(self, slots: int, cap: int, low_share: int) -> tuple[str, list[Claim]]:
        """Take up to ``slots`` jobs, as long as no more than ``cap`` leases are held by all workers together.

        The last queue gets its jobs first while fewer than ``low_share`` of them run anywhere; otherwise the
        order of the queues is strict. Returns ``claimed``, ``full`` (the cap is reached), ``suspended`` or
        ``paused``, and the claims; while paused that is now and then one, which probes (``app/core/pause.py``).
        """
        answer: list[Any] = await self._claim(
            keys=[
                *self._lists, *self._sets, *self._registries,
                WORKERS_SUSPENDED, redis_keys.PAUSED, self._executions,
            ],
            args=[
                len(self._queues), self._lease, self._worker_name, utcformat(now()), RQ_LEASE, EXECUTION_TTL,
                cap, low_share, self._at_work, *(uuid4().hex for _ in range(slots)),
            ],
        )  # fmt: skip
        claims = [
            Claim(
                self._queues[number - 1],
                job_id.decode(),
                execution_id.decode(),
                dict(zip(flat[::2], flat[1::2], strict=True)),
            )
            for number, job_id, execution_id, flat in answer[1:]
        ]
        return answer[0].decode(), claims

    async def renew(self, claims: Sequence[Claim]) -> set[str]:
        """Extend the leases; return the executions that are no longer ours."""
        if not claims:
            return set()
        pairs: list[str | int] = []
        for claim in claims:
            pairs += (self._queues.index(claim.queue) + 1, claim.composite)
        lost = await self._renew(keys=self._sets, args=[self._lease, EXECUTION_TTL, self._worker_name, *pairs])
        return {composite.decode() for composite in lost}

    async def put_back_own(self, *, blame: bool) -> list[str]:
        """Put back, at the heads of their queues, all jobs that this worker's name holds; return their ids.

        ``blame``: the worker died of one of them, perhaps, rather than handing them back.
        """
        members = cast(set[bytes], await self._redis.smembers(self._executions))
        own = {member.decode(): "" for member in members}
        if not own:
            return []
        field = CRASHES_FIELD if blame else ""
        return [job_id for queue in self._queues for job_id in await self._return(queue, field, own)]

    async def put_back(self, claims: Sequence[Claim]) -> list[str]:
        """Put some jobs back, at the heads of their queues and in the old order; return their ids."""
        ids = []
        for queue in self._queues:
            if own := {claim.composite: "" for claim in claims if claim.queue == queue}:
                ids += await self._return(queue, "", own)
        return ids

    async def reap(self) -> list[str]:
        """Look at all leases, and put back the jobs of workers that have stopped renewing theirs.

        To be called often: whoever does not look for half a lease begins its watch anew.
        """
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in self._sets:
                    pipeline.zrange(key, 0, -1, withscores=True)
                answers = await pipeline.execute()
        except BaseException:
            self._watch.begin_anew()
            raise
        scores = [{execution.decode(): score for execution, score in answer} for answer in answers]
        dead = self._watch.dead({execution: score for in_queue in scores for execution, score in in_queue.items()})
        ids = []
        for queue, in_queue in zip(self._queues, scores, strict=True):
            if gone := {execution: repr(in_queue[execution]) for execution in dead if execution in in_queue}:
                ids += await self._return(queue, CRASHES_FIELD, gone)
        return ids

    def begin_watch_anew(self) -> None:
        """Hold nobody for dead that could not renew a lease: Redis was away."""
        self._watch.begin_anew()

    async def _return(self, queue: str, crashes_field: str, executions: Mapping[str, str]) -> list[str]:
        """``executions``: with the score that the lease must still have, or ''."""
        number = self._queues.index(queue)
        ids = await self._put_back(
            keys=[self._lists[number], self._sets[number], self._registries[number]],
            args=[crashes_field, AT_WORK_FIELD, *(part for pair in executions.items() for part in pair)],
        )
        return [job_id.decode() for job_id in ids]
