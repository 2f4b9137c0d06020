"""One instance works, the others stand by: a lock in Redis that its holder renews."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.tasks import end
from app.core.backoff import Backoff
from app.core.redis_lock import RedisLock

LEASE: Final = 6.0
"""Seconds that the lock lasts unless it is renewed: how long a dead instance is waited for."""
_TURN: Final = 1.0
"""Seconds between two attempts to renew the lock, or to get it; and what Redis may take to answer."""

logger = logging.getLogger(__name__)


class Standby:
    """One candidate for a lock. ``name`` stays the same over restarts, so a restarted holder goes on at once."""

    def __init__(self, redis: Redis, lock: str, name: str) -> None:
        self._name = name
        self._lock = RedisLock(redis, lock, name, LEASE)

    async def run(self, work: Callable[[], Awaitable[None]], waiting: Callable[[str], None]) -> None:
        """For ever do the work while the lock is ours; call ``waiting`` with the holder's name when it is not.

        The work is cancelled when the lock could not be renewed in time. An error of the work ends everything.
        """
        backoff = Backoff("Redis (standby)", most=_TURN)
        task: asyncio.Task[None] | None = None
        holder, ours_until = "", 0.0
        try:
            while True:
                asked = time.monotonic()
                try:
                    async with asyncio.timeout(_TURN):
                        before, holder = holder, await self._lock.acquire()
                    backoff.reset()
                except (RedisError, TimeoutError) as error:
                    await backoff.wait(error)
                else:
                    ours_until = asked + LEASE if holder == self._name else 0.0
                    if holder not in {before, self._name}:
                        waiting(holder)
                if time.monotonic() < ours_until:
                    task = task or asyncio.ensure_future(work())
                    done, _ = await asyncio.wait([task], timeout=_TURN)
                    for ended in done:
                        ended.result()
                else:
                    if task:
                        logger.warning("the lock could not be renewed: standing by")
                        await end([task])
                        task, holder = None, ""
                    await asyncio.sleep(_TURN)
        finally:
            if task:
                await end([task])
                with contextlib.suppress(RedisError, TimeoutError):
                    async with asyncio.timeout(_TURN):
                        await self._lock.release()
