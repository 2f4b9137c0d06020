"""Where a worker's jobs come from: the claim, and the wait for something to claim."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from rq import Queue

from app.worker.leases import Claim, Leases

IDLE_WAIT: Final = 10
"""Seconds of one blocking wait for a job."""
CLAIM_WAIT: Final = 1.0
"""Seconds that a stopping worker waits for the answer to a claim."""


class JobSource:
    """Claims jobs from ``queues``; ``cap`` and ``low_share`` as in ``Leases.claim``."""

    def __init__(self, redis: Redis, leases: Leases, queues: Sequence[Queue], cap: int, low_share: int) -> None:
        self._redis = redis
        self._leases = leases
        self._queues = queues
        self._cap = cap
        self._low_share = low_share
        self._waits: dict[str, asyncio.Future[Any]] = {}  # by queue

    def close(self) -> None:
        """Wait for nothing any more."""
        for wait in self._waits.values():
            wait.cancel()

    async def claim(self, free: int) -> tuple[float, str, list[Claim]]:
        """Claim up to ``free`` jobs; return when Redis was asked (monotonic, s), and what it said.

        A stop waits for the answer, so that what was claimed is handed back and not forgotten.
        """
        asked_at = time.monotonic()
        claiming = asyncio.ensure_future(self._leases.claim(free, self._cap, self._low_share))
        try:
            return asked_at, *await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await asyncio.wait({claiming}, timeout=CLAIM_WAIT)
            raise

    async def wait_for_job(self) -> None:
        """Return when a job waits in any queue, or after ``IDLE_WAIT`` seconds.

        ``BLMOVE`` of a list's head onto the same list's head blocks until there is one and changes nothing.
        """
        for queue in self._queues:
            if queue.name not in self._waits:
                wait = self._redis.blmove(queue.key, queue.key, IDLE_WAIT, "LEFT", "LEFT")
                self._waits[queue.name] = asyncio.ensure_future(wait)
        await asyncio.wait(self._waits.values(), return_when=asyncio.FIRST_COMPLETED)
        finished = [self._waits.pop(name) for name, wait in list(self._waits.items()) if wait.done()]
        errors = [error for wait in finished if (error := wait.exception())]
        if errors:
            raise errors[0]
