"""How long endpoints take, and when it is therefore worth asking."""

import time
from collections.abc import AsyncIterator
from functools import partial
from random import Random
from typing import Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.polling_config import PollingConfig, RunTimes, aware_intervals, plain_intervals
from app.core.redis_clients import write
from app.core.redis_retry import retry
from app.core.requests import FalRequest
from app.worker.fal_shapes import INFERENCE_MAX

KEPT: Final = 500
"""Run times kept for an endpoint: enough that a minute of rising traffic, in which quick requests are the first to be
known, does not fill it."""
NEEDED: Final = 20
"""Run times without which nothing is foretold."""


class LatencyLog:
    """Run times of each endpoint, from accepted to ready, in Redis (answers text)."""

    def __init__(self, redis: Redis, *, aware: bool) -> None:
        """``aware``: poll when past run times make a result likely; otherwise the plain schedule is always used."""
        self._redis = redis
        self._aware = aware

    async def record(self, request: FalRequest, inference_time: float | None) -> None:
        """Remember how long a request took: fal's own figure, or the time since it was accepted, if that is less."""
        took = max(0.0, min(_age(request), INFERENCE_MAX if inference_time is None else inference_time))
        key = redis_keys.latency(request.endpoint)

        async def push() -> None:
            await write(self._redis, "LPUSH", key, f"{took:.2f}")
            await self._redis.ltrim(key, 0, KEPT - 1)

        await retry(push)

    async def waits(self, request: FalRequest, config: PollingConfig, random: Random) -> AsyncIterator[float]:
        """Yield the seconds to wait before each poll of a request; wait as told before asking for the next."""
        past = await retry(partial(self._past, request.endpoint))
        if past is None:
            intervals = plain_intervals(config, random)
        else:
            intervals = aware_intervals(past, lambda: _age(request), config, random)
        for wait in intervals:
            yield wait

    async def _past(self, endpoint: str) -> RunTimes | None:
        """Return how long the endpoint takes, or None if too little is known."""
        if not self._aware:
            return None
        key = redis_keys.latency(endpoint)
        kept = [_sane(took) for took in cast(list[str], await self._redis.lrange(key, 0, KEPT - 1))]
        past = [took for took in kept if took is not None]
        return RunTimes.fit(past) if len(past) >= NEEDED else None


def _sane(text: str) -> float | None:
    """Read a run time; None if it is none: what fal said was once written as it came."""
    try:
        took = float(text)
    except ValueError:
        return None
    return took if 0 <= took <= INFERENCE_MAX else None


def _age(request: FalRequest) -> float:
    return time.time() - request.submitted_at
