"""How many requests one person may send: a sliding window in Redis, shared by all instances of the bot."""

import logging
import time
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.core.redis_clients import REDIS_AWAY

log = logging.getLogger(__name__)

RATE_LIMIT_WINDOW = 60
"""Seconds of the window."""
RATE_LIMIT_MAX_REQUESTS = 10
"""Requests that one person may send within any window."""


class RateLimiter:
    """At most ``requests`` in any ``window`` seconds for each user."""

    def __init__(
        self,
        redis_url: str,
        requests: int = RATE_LIMIT_MAX_REQUESTS,
        window: int = RATE_LIMIT_WINDOW,
        name: str = "",
        **redis_options: Any,
    ) -> None:
        """``name`` keeps what is counted here apart from what others count."""
        storage = RedisStorage(
            f"async+{redis_url}", implementation="redispy", key_prefix="imagebot:limits", **redis_options
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._limit = RateLimitItemPerSecond(requests, window)
        self._name = name

    async def hit(self, user_id: int, requests: int = 1) -> float:
        """Count so many requests; return 0 if they are allowed, else the seconds until they will be.

        More than the limit allows at once are allowed when there were none in the window before them.

        While Redis is away all are allowed: how many requests a person may have open, and what they may cost, is
        limited elsewhere.
        """
        counted = f"{self._name}{user_id}"
        try:
            if await self._limiter.hit(self._limit, counted, cost=min(requests, self._limit.amount)):
                return 0.0
            if requests > 1:
                return float(self._limit.get_expiry())
            stats = await self._limiter.get_window_stats(self._limit, counted)
        except REDIS_AWAY as error:
            log.warning("nobody's requests are counted for now: %s: %s", type(error).__name__, error)
            return 0.0
        return max(1.0, stats.reset_time - time.time())
