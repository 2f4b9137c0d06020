"""A cap on requests a second to fal, shared by all workers through Redis."""

import asyncio
from typing import Final

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.redis_retry import retry
from app.core.throttle import Limit, Throttle

BURST: Final = 0.5
"""Seconds' worth of requests that may come at once."""


class RequestCap:
    """Spaces requests so that all workers together send no more than ``per_second``."""

    def __init__(self, redis: Redis, per_second: float) -> None:
        self._throttle = Throttle(redis)
        self._limit = Limit(redis_keys.FAL_REQUEST_CAP, 1 / per_second, BURST)

    async def wait(self) -> None:
        """Wait until the next request may be sent, and for Redis."""
        delay = await retry(lambda: self._throttle.reserve([self._limit]))
        if delay > 0:
            await asyncio.sleep(delay)
