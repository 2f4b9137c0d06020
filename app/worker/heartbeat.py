"""What a worker does to count as alive: for systemd, for the other workers, and in RQ's records."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from redis.asyncio import Redis
from rq import Queue
from rq.worker import WorkerStatus

from app.core import sd_notify
from app.core.redis_clients import check_cancelled, passes
from app.worker.executions import Ending, Running
from app.worker.leases import Leases
from app.worker.name_claim import NameClaim

log = logging.getLogger(__name__)

RQ_BEAT: Final = 30.0
"""Seconds between heartbeats in RQ's own records."""
BEAT_LATE: Final = 20.0
"""Seconds without a beat after which the process is no longer reported as healthy."""


class Heartbeat:
    """The beats of one worker, which has ``running`` (by execution id) of ``concurrency`` jobs at most.

    ``every``: seconds between two beats. ``sure``: seconds from a renewal in which nobody can have taken a job over.
    """

    def __init__(
        self,
        redis: Redis,
        leases: Leases,
        name_claim: NameClaim,
        queues: Sequence[Queue],
        running: Mapping[str, Running],
        concurrency: int,
        stop_asked: asyncio.Event,
        *,
        every: float,
        sure: float,
    ) -> None:
        self._redis = redis
        self._leases = leases
        self._name_claim = name_claim
        self._queues = queues
        self._running = running
        self._concurrency = concurrency
        self._stop_asked = stop_asked
        self._every = every
        self._sure = sure
        self._beaten_at = math.inf
        self.named = False
        """Whether the worker's name is ours; nothing is done in a name that may be another's."""
        self.suspended = False
        """Whether RQ is to show the worker as suspended."""

    async def ping_systemd(self) -> None:
        """Ping the watchdog as long as the loop turns and the beats go on, whether or not Redis is there."""
        interval = sd_notify.watchdog_interval()
        while interval:
            if time.monotonic() - self._beaten_at < BEAT_LATE:
                sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(interval)

    async def beat(self) -> None:
        """For ever renew leases and take back those of the dead. Survives every error."""
        while True:
            self._beaten_at = time.monotonic()
            try:
                async with asyncio.timeout(BEAT_LATE / 2):
                    await self._beat()
            except Exception as error:
                self._leases.begin_watch_anew()
                if not isinstance(error, TimeoutError) and not passes(error):
                    log.exception("a beat failed")
            check_cancelled()
            await asyncio.sleep(self._every)

    async def _beat(self) -> None:
        if self.named:
            await self._name_claim.renew()
        asked_at, held = time.monotonic(), list(self._running.values())
        lost = await self._leases.renew([running.claim for running in held])
        for running in held:
            if running.lease.execution in lost:
                running.cancel(Ending.LOST)
            else:
                running.ours_until = asked_at + self._sure
        if not self._stop_asked.is_set() and (back := await self._leases.reap()):
            log.warning("took back %d jobs of workers that are gone", len(back))
        waiting = {queue.name: await self._redis.llen(queue.key) for queue in self._queues}
        queues = ", ".join(f"{name} {count}" for name, count in waiting.items() if count)
        sd_notify.notify(f"STATUS={len(self._running)}/{self._concurrency} jobs" + (f", {queues}" if queues else ""))

    async def keep_records(self, tell: Callable[[WorkerStatus, bool], Awaitable[None]]) -> None:
        """For ever keep RQ's records, by ``tell(state, everything)``.

        Apart from the beats, since RQ's code may be busy with a slow callback.
        """
        everything_at = 0.0
        while True:
            everything = time.monotonic() >= everything_at
            state = WorkerStatus.BUSY if self._running else WorkerStatus.IDLE
            if self.suspended:
                state = WorkerStatus.SUSPENDED
            try:
                await tell(state, everything)
                if everything:
                    everything_at = time.monotonic() + RQ_BEAT
            except Exception as error:
                everything_at = 0.0
                if not passes(error):
                    log.exception("RQ's records could not be kept")
            await asyncio.sleep(self._every)
