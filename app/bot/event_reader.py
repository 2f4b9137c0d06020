"""Reads what happened to requests from their stream, with a consumer group.

Reading is at least once: an event is claimed again when the instance that read it died before it acknowledged. What
has not been acknowledged stays, however old it is; the rest is dropped after ``KEPT`` seconds, by whoever reads.
"""

import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.bot.takeover import Entry, TakeOver
from app.core import redis_keys
from app.core.events import Event, EventType
from app.core.lua_scripts import load

PROMPT: Final = 1.5
"""Seconds within which Redis answers when nothing is wrong."""

KEPT: Final = 3600
"""Seconds for which the stream keeps what has been acknowledged: the admins' figures are counted from it."""
TRIM_EVERY: Final = 60.0
"""Seconds between two looks for what may be dropped."""

_ALWAYS, _NEVER = float("-inf"), float("inf")

log = logging.getLogger(__name__)


class EventReader:
    """One consumer of the bot's group."""

    def __init__(self, redis: Redis, consumer: str, *, claim_after: float = 30.0) -> None:
        """``claim_after``: seconds after which an unacknowledged event of a dead consumer is taken over."""
        self._redis = redis
        self._consumer = consumer
        self._claim_after = claim_after
        self._take_over = TakeOver(redis, redis_keys.EVENTS, redis_keys.EVENTS_GROUP, consumer)
        self._trim = redis.register_script(load(__file__, "trim_events"))
        self._trimmed_at = _ALWAYS
        self._steady_since = _ALWAYS
        """Since when Redis has answered promptly (monotonic s)."""

    async def open(self) -> None:
        """Create the group (and the stream) if need be, and read from the stream's beginning."""
        try:
            await self._redis.xgroup_create(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int = 50, block: float = 5.0) -> AsyncIterator[Event]:
        """Yield what this consumer is to handle now: abandoned events first, then new ones.

        Waits up to ``block`` seconds for the first. Acknowledge each event once it is handled. While Redis is away
        nobody can acknowledge anything: nothing counts as abandoned until Redis has been there long enough again.
        """
        try:
            await self._drop_settled()
            abandoned = await self._abandoned(count)
            for event in await self._known(abandoned):
                yield event
            asked = time.monotonic()
            wait = 0.001 if abandoned else block
            answer: Any = await self._redis.xreadgroup(
                redis_keys.EVENTS_GROUP, self._consumer, {redis_keys.EVENTS: ">"}, count=count, block=int(wait * 1000)
            )
            now = time.monotonic()
            if self._steady_since == _NEVER or now - asked > wait + PROMPT:
                self._steady_since = now
            for event in await self._known(answer[0][1] if answer else []):
                yield event
        except RedisError:
            self._steady_since = _NEVER
            raise

    async def acknowledge(self, event: Event) -> None:
        """Note that the event has been handled."""
        await self._acknowledge(event.entry_id)

    async def _acknowledge(self, entry_id: str) -> None:
        await self._redis.xack(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, entry_id)

    async def _drop_settled(self) -> None:
        asked = time.monotonic()
        if asked - self._trimmed_at < TRIM_EVERY:
            return
        await self._trim(keys=[redis_keys.EVENTS], args=[redis_keys.EVENTS_GROUP, KEPT])
        self._trimmed_at = now = time.monotonic()
        if now - asked > PROMPT:
            self._steady_since = now

    async def _abandoned(self, count: int) -> Sequence[Entry]:
        if time.monotonic() - self._steady_since < self._claim_after:
            return []
        asked = time.monotonic()
        seconds, micros = await self._redis.time()
        if (now := time.monotonic()) - asked > PROMPT:
            self._steady_since = now
            return []
        return await self._take_over.take(self._claim_after, seconds + micros / 1e6, PROMPT, count)

    async def _known(self, entries: Sequence[Entry]) -> list[Event]:
        """Return the events among entries. What a newer release may have written is acknowledged, and logged."""
        events = []
        for entry_id, fields in entries:
            try:
                events.append(Event(entry_id, EventType(fields["type"]), fields["request_id"]))
            except (KeyError, ValueError):
                log.warning("event %s is of no kind that is known here: %s", entry_id, fields.get("type"))
                await self._acknowledge(entry_id)
        return events
