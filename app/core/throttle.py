"""A throttle: limits on calls a second that all processes share through Redis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from app.core.lua_scripts import load


@dataclass(frozen=True, slots=True)
class Limit:
    """One call every ``interval`` seconds in the long run, ``burst`` seconds ahead at most; ``key`` has its state."""

    key: str
    interval: float
    burst: float


class Throttle:
    """Gives calls their turns within all of some limits at once."""

    def __init__(self, redis: Redis) -> None:
        self._script = redis.register_script(load(__file__, "throttle"))

    async def reserve(self, limits: Sequence[Limit], count: int = 1) -> float:
        """Take a turn for so many calls; return the seconds until it."""
        return await self._run(limits, count, "")

    async def spare(self, limits: Sequence[Limit], kept: float) -> float:
        """Take a turn that leaves ``kept`` (a share) of each burst; return 0, or the seconds to the next attempt."""
        return await self._run(limits, 1, kept)

    async def _run(self, limits: Sequence[Limit], count: int, kept: float | str) -> float:
        args = [count, kept, *(part for limit in limits for part in (limit.interval, limit.burst))]
        wait: Any = await self._script(keys=[limit.key for limit in limits], args=args)
        return float(wait)
