"""What happened to requests: a Redis stream that the bot reads with a consumer group.

Events are appended by the scripts of ``app/core/requests.py``, each once. Reading is at least once: an event is
claimed again when the instance that read it died before it acknowledged.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.core import redis_keys


class EventType(StrEnum):
    """``started`` once fal has taken the request; then exactly one of the others.

    ``queued``: the request that made the result for this one too was cancelled, so this one is to be queued itself.
    """

    QUEUED = "queued"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the stream; ``entry_id`` is what to acknowledge."""

    entry_id: str
    type: EventType
    request_id: str


class EventReader:
    """One consumer of the bot's group."""

    def __init__(self, redis: Redis, consumer: str, *, claim_after: float = 30.0) -> None:
        """``claim_after``: seconds after which an unacknowledged event of a dead consumer is taken over."""
        self._redis = redis
        self._consumer = consumer
        self._claim_after_ms = int(claim_after * 1000)

    async def open(self) -> None:
        """Create the group (and the stream) if need be, and read from the stream's beginning."""
        try:
            await self._redis.xgroup_create(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def read(self, count: int = 50, block: float = 5.0) -> AsyncIterator[Event]:
        """Yield what this consumer is to handle now: abandoned events first, then new ones.

        Waits up to ``block`` seconds for the first. Acknowledge each event once it is handled.
        """
        claimed: Any = await self._redis.xautoclaim(
            redis_keys.EVENTS, redis_keys.EVENTS_GROUP, self._consumer, self._claim_after_ms, count=count
        )
        abandoned = claimed[1]
        for entry_id, fields in abandoned:
            yield _event(entry_id, fields)
        answer: Any = await self._redis.xreadgroup(
            redis_keys.EVENTS_GROUP, self._consumer, {redis_keys.EVENTS: ">"},
            count=count, block=1 if abandoned else int(block * 1000),
        )  # fmt: skip
        for _, entries in answer or []:
            for entry_id, fields in entries:
                yield _event(entry_id, fields)

    async def acknowledge(self, event: Event) -> None:
        """Note that the event has been handled."""
        await self._redis.xack(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, event.entry_id)


def _event(entry_id: str, fields: dict[str, str]) -> Event:
    return Event(entry_id, EventType(fields["type"]), fields["request_id"])
