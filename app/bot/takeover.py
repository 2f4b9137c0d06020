"""Taking entries of a stream over from members of its consumer group that are dead, and from no others."""

import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from app.core.lua_scripts import load

Entry = tuple[str, dict[str, str]]


class TakeOver:
    """``XAUTOCLAIM`` for one consumer, that does nothing if it waited through a stall of Redis.

    After a stall every entry is idle, for nobody could acknowledge anything; their consumers may live. So they may
    after a step of Redis' clock, by which it counts how long entries are idle.
    """

    def __init__(
        self,
        redis: Redis,
        stream: str,
        group: str,
        consumer: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``consumer`` gets what is taken over."""
        self._clock = clock
        self._apart: float | None = None  # Redis' clock and ours
        self._steady_at = 0.0
        self._stream, self._group, self._consumer = stream, group, consumer
        self._script = redis.register_script(load(__file__, "take_over"))

    async def take(self, idle: float, answered: float, within: float, count: int = 100) -> list[Entry]:
        """Return entries that were idle for ``idle`` seconds, now this consumer's.

        Nothing if Redis runs this later than ``within`` seconds after ``answered``, its own time (s) when it last
        answered; nor until ``idle`` seconds after its clock has stepped.
        """
        at = self._clock()
        apart, before = answered - at, self._apart
        if before is not None and abs(apart - before) > within:
            self._steady_at = at + idle
        self._apart = apart
        if at < self._steady_at:
            return []
        arguments: list[str | int | float] = [self._group, self._consumer, int(idle * 1000), count, answered, within]
        entries: Any = await self._script(keys=[self._stream], args=arguments)
        return [(entry_id, dict(zip(fields[::2], fields[1::2], strict=True))) for entry_id, fields in entries]
