"""Heals what a bug or a hand left behind: an open request that is in nobody's hands.

A request that has not ended stands in a queue, in a schedule or in a lease, or it waits for another's result. One
that does not, sweep after sweep for ``HEAL_AFTER`` seconds, is queued again, or ended with a sentence if that has not
helped. Crashes of workers and Redis leave nothing behind, so whatever is healed here is worth a look: each is logged,
and counted in ``redis_keys.COUNTERS``. Only a bot that dies between a request's record and its job leaves one, until
it has started again; that is queued here too if it takes too long, and does not count.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError
from rq.job import Job
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.lua_scripts import load
from app.core.redis_clients import check_cancelled, passes
from app.core.requests import RequestStore
from app.worker.threads import in_thread

log = logging.getLogger(__name__)

SWEEP_EVERY: Final = 5.0
"""Seconds between two sweeps, by whichever worker comes first."""
HEAL_AFTER: Final = 30.0
"""Seconds for which a request must be in nobody's hands: the bot may just be between its record and its job."""
COMPARE_EVERY: Final = 600.0
"""Seconds between two comparisons of everybody's open requests with those of each person, which walk all keys."""
HEALS_MAX: Final = 2
"""How often a request is queued again before it is ended."""
REQUEUED, ENDED, FORGOTTEN = "healed_requeued", "healed_ended", "healed_forgotten"
"""Counters of what was healed."""


@dataclass(slots=True)
class Sweeper:
    """Sweeps for ever. ``redis`` answers text, ``connection`` is RQ's own."""

    redis: Redis
    connection: BlockingRedis
    store: RequestStore
    _sweep: AsyncScript = field(init=False)
    _compare: AsyncScript = field(init=False)

    def __post_init__(self) -> None:
        """Register the script."""
        self._sweep = self.redis.register_script(load(__file__, "sweep"))
        self._compare = self.redis.register_script(load(__file__, "compare"))

    async def run(self) -> None:
        """Sweep for ever, whatever happens."""
        while True:
            try:
                await self.sweep()
                await self.compare()  # second: while Redis is full it does not begin
            except RedisError as error:
                if not passes(error):
                    log.exception("the sweep failed")
            except Exception:
                log.exception("the sweep failed")
            check_cancelled()
            await asyncio.sleep(SWEEP_EVERY)

    async def compare(self) -> None:
        """Put right what stands in one list of open requests only, and forget jobs that RQ keeps as cancelled.

        The release before left both: it knew no list of everybody's, and cancelled in RQ's way.
        """
        every = int(COMPARE_EVERY * 1000)
        if not await self.redis.set(redis_keys.SWEEPER_COMPARED, 1, nx=True, px=every):
            return
        for pattern in (redis_keys.open_requests("*"), redis_keys.open_batch("*")):
            async for key in self.redis.scan_iter(pattern, count=1000):
                await self._compare(keys=[redis_keys.request(""), key, redis_keys.OPEN_REQUESTS])
        for name in queues.QUEUES:
            registry = CanceledJobRegistry.key_template.format(name)
            while cancelled := cast(list[str], await self.redis.zrange(registry, 0, 999)):
                async with self.redis.pipeline() as pipeline:
                    pipeline.delete(*(Job.redis_job_namespace_prefix + job_id for job_id in cancelled))
                    pipeline.zrem(registry, *cancelled)
                    await pipeline.execute()

    async def sweep(self) -> None:
        """Sweep once, if nobody has done so just now.

        Raises:
            RedisError: Redis did not answer, or has no room.
        """
        keys = [
            redis_keys.request(""), redis_keys.SWEEPER_TURN, redis_keys.OPEN_REQUESTS, redis_keys.SUSPECTS,
            redis_keys.COUNTERS, redis_keys.joined(""), redis_keys.rq_job(""),
        ]  # fmt: skip
        for name in queues.QUEUES:
            keys += [redis_keys.rq_queue(name), redis_keys.leases(name)]
            keys += [
                registry.key_template.format(name)
                for registry in (ScheduledJobRegistry, FinishedJobRegistry, FailedJobRegistry, CanceledJobRegistry)
            ]
        args: list[str | int | float] = [
            int(SWEEP_EVERY * 900),
            HEAL_AFTER,
            HEALS_MAX,
            REQUEUED,
            ENDED,
            FORGOTTEN,
            *queues.QUEUES,
        ]
        healed: list[Any] = await self._sweep(keys=keys, args=args)
        for request_id, what in healed:
            if what == "unqueued":
                log.warning("request %s: its bot died before it was queued", request_id)
                await self._enqueue(request_id)
                continue
            log.error("request %s was in nobody's hands: %s", request_id, what)
            if what == "enqueue":
                await self._enqueue(request_id)
            elif what == "end":
                await self.store.fail(request_id, FailureReason.INTERNAL)

    async def _enqueue(self, request_id: str) -> None:
        if record := await self.store.load(request_id):
            await in_thread(partial(queues.enqueue, self.connection, request_id, record.request.queue))
