"""How long endpoints take, and when it is therefore worth asking."""

import time
from collections.abc import AsyncIterator
from random import Random
from typing import Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.polling_config import PollingConfig, plain_intervals, quantile
from app.core.requests import FalRequest

KEPT: Final = 200
"""Run times kept for an endpoint."""
NEEDED: Final = 20
"""Run times without which nothing is foretold."""
FIRST_LOOK: Final = 0.2
"""The first look comes when this share of past requests was ready."""
AWARE_FACTOR: Final = 1.1
"""Growth of the interval after the first look: what was likely to be ready is looked at often."""


class LatencyLog:
    """Run times of each endpoint, from accepted to ready, in Redis (answers text)."""

    def __init__(self, redis: Redis, *, aware: bool) -> None:
        """``aware``: take the first look by past run times; otherwise the plain schedule is always used."""
        self._redis = redis
        self._aware = aware

    async def record(self, request: FalRequest, inference_time: float | None) -> None:
        """Remember how long a request took: fal's own figure, or the time since it was accepted."""
        took = inference_time if inference_time is not None else time.time() - request.submitted_at
        key = redis_keys.latency(request.endpoint)
        async with self._redis.pipeline() as pipeline:
            pipeline.lpush(key, f"{took:.2f}")
            pipeline.ltrim(key, 0, KEPT - 1)
            await pipeline.execute()

    async def waits(self, request: FalRequest, config: PollingConfig, random: Random) -> AsyncIterator[float]:
        """Yield the seconds to wait before each look at a request."""
        first = await self._first_look(request.endpoint)
        if first is not None:
            yield max(config.initial, first - (time.time() - request.submitted_at))
            config = PollingConfig(config.initial, config.maximum, AWARE_FACTOR, config.jitter)
        for wait in plain_intervals(config, random):
            yield wait

    async def _first_look(self, endpoint: str) -> float | None:
        """Return the seconds after which a result becomes likely, or None if too little is known."""
        if not self._aware:
            return None
        key = redis_keys.latency(endpoint)
        past = [float(took) for took in cast(list[str], await self._redis.lrange(key, 0, KEPT - 1))]
        return quantile(past, FIRST_LOOK) if len(past) >= NEEDED else None
