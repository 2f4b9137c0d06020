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
from rq.suspension import WORKERS_SUSPENDED
from rq.utils import now, utcformat

from app.core import pause, redis_keys
from app.core.epoch import NO_EPOCH, Epoch
from app.core.lua_scripts import load
from app.worker.lease_watch import LeaseWatch
from app.worker.put_back import AT_WORK_FIELD, CRASHES_FIELD, PUT_BACK, RQ_KEYS, put_back_keys

RQ_LEASE: Final = 24 * 3600
"""Seconds: the lease that RQ's registries show."""
EXECUTION_TTL: Final = 120
"""Seconds that RQ's record of an execution lives without a renewal."""


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
        crashes_at_work_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
        epoch: Epoch = NO_EPOCH,
    ) -> None:
        """``crashes_at_work_only``: a worker's death counts against a job only while that says that it is at work.

        ``epoch``: while Redis knows less than this nothing is claimed.
        """
        self._redis = redis
        self._worker_name = worker_name
        self._queues = list(queues)
        self._lease = lease
        self._at_work = "" if crashes_at_work_only else AT_WORK_FIELD
        self._sets = [redis_keys.leases(name) for name in queues]
        self._executions = redis_keys.rq_worker_executions(worker_name)
        self._watch = LeaseWatch(lease, clock)
        self._claim = epoch.guard(redis, load(__file__, "claim"))
        self._renew = redis.register_script(load(__file__, "renew"))
        self._put_back = redis.register_script(PUT_BACK)
        self._drop = redis.register_script(load(__file__, "drop_ended"))

    async def claim(self, slots: int, cap: int, low_share: int) -> tuple[str, list[Claim]]:
        """Take up to ``slots`` jobs, as long as no more than ``cap`` leases are held by all workers together.

        The last queue gets its jobs first while fewer than ``low_share`` of them run anywhere; otherwise the
        order of the queues is strict. Returns ``claimed``, ``full`` (the cap is reached), ``suspended`` or
        ``paused``, and the claims; while paused that is now and then one, which probes (``app/core/pause.py``).
        """
        answer: list[Any] = await self._claim(
            keys=[
                *RQ_KEYS, WORKERS_SUSPENDED, redis_keys.PAUSED, self._executions,
                *map(redis_keys.rq_queue, self._queues), *self._sets, *map(redis_keys.rq_running, self._queues),
            ],
            args=[
                len(self._queues), self._lease, self._worker_name, utcformat(now()), RQ_LEASE, EXECUTION_TTL,
                cap, low_share, self._at_work, pause.TTL, pause.PROBE_EVERY, *(uuid4().hex for _ in range(slots)),
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
        lost = await self._renew(
            keys=[*RQ_KEYS, *self._sets], args=[self._lease, EXECUTION_TTL, self._worker_name, *pairs]
        )
        return {composite.decode() for composite in lost}

    async def put_back_own(self, *, count_crash: bool) -> list[str]:
        """Put back, at the heads of their queues, all jobs that this worker's name holds; return their ids.

        ``count_crash``: the worker died of one of them, perhaps, rather than handing them back.
        """
        members = cast(set[bytes], await self._redis.smembers(self._executions))
        own = {member.decode(): "" for member in members}
        if not own:
            return []
        field = CRASHES_FIELD if count_crash else ""
        return [job_id for queue in self._queues for job_id in await self._return(queue, field, own)]

    async def put_back(self, claims: Sequence[Claim]) -> list[str]:
        """Put some jobs back, at the heads of their queues and in the old order; return their ids."""
        ids = []
        for queue in self._queues:
            if own := {claim.composite: "" for claim in claims if claim.queue == queue}:
                ids += await self._return(queue, "", own)
        return ids

    async def drop(self, claim: Claim) -> None:
        """Delete a job that has ended, and all that RQ knows of it: there is no room for its outcome."""
        leases, running = redis_keys.leases(claim.queue), redis_keys.rq_running(claim.queue)
        await self._drop(keys=[*RQ_KEYS, leases, running, self._executions], args=[claim.composite])

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
        ids = await self._put_back(
            keys=put_back_keys(queue),
            args=[crashes_field, AT_WORK_FIELD, *(part for pair in executions.items() for part in pair)],
        )
        return [job_id.decode() for job_id in ids]
