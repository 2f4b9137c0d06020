"""Work in order within a key (a chat, a request), side by side across keys."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final

from app.bot.tasks import end

Work = Callable[[], Awaitable[None]]

BACKLOG: Final = 10

logger = logging.getLogger(__name__)


class KeyedExecutor:
    """Runs what it is given, ``limit`` pieces at a time; ``BACKLOG`` times as many are accepted.

    What waits for its own key takes no room from the others: one busy chat must not hold up everybody.
    """

    def __init__(self, limit: int) -> None:
        self._room = asyncio.Semaphore(limit)
        self._accepted = asyncio.Semaphore(limit * BACKLOG)
        self._last: dict[Hashable, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    async def put(self, key: Hashable, work: Work) -> None:
        """Start the work once all earlier work of its key has ended; wait while too much waits."""
        await self._accepted.acquire()
        task = asyncio.create_task(self._run(work, self._last.get(key)))
        self._last[key] = task
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(key, done))

    async def drain(self, grace: float) -> None:
        """Begin nothing new, give what runs ``grace`` seconds to end, then cancel it."""
        self._draining = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            await end(late)

    async def _run(self, work: Work, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        async with self._room:
            if not self._draining:
                await work()

    def _ended(self, key: Hashable, task: asyncio.Task[None]) -> None:
        self._accepted.release()
        self._tasks.discard(task)
        if self._last.get(key) is task:
            del self._last[key]
        if not task.cancelled() and (error := task.exception()):
            logger.error("work of key %s failed", key, exc_info=error)
