"""Taking entries of a stream over from members of its consumer group that are dead, and from no others."""

from typing import Any

from redis.asyncio import Redis

from app.core.lua_scripts import load

Entry = tuple[str, dict[str, str]]


class TakeOver:
    """``XAUTOCLAIM`` for one consumer, that does nothing if it waited through a stall of Redis.

    After a stall every entry is idle, for nobody could acknowledge anything; their consumers may live.
    """

    def __init__(self, redis: Redis, stream: str, group: str, consumer: str) -> None:
        """``consumer`` gets what is taken over."""
        self._stream, self._group, self._consumer = stream, group, consumer
        self._script = redis.register_script(load(__file__, "take_over"))

    async def take(self, idle: float, answered: float, within: float, count: int = 100) -> list[Entry]:
        """Return entries that were idle for ``idle`` seconds, now this consumer's.

        Nothing if Redis runs this later than ``within`` seconds after ``answered``, its own time (s) when it last
        answered.
        """
        arguments: list[str | int | float] = [self._group, self._consumer, int(idle * 1000), count, answered, within]
        entries: Any = await self._script(keys=[self._stream], args=arguments)
        return [(entry_id, dict(zip(fields[::2], fields[1::2], strict=True))) for entry_id, fields in entries]
