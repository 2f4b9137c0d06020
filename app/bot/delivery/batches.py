"""Batches in Redis: how many requests one has, whom it is for, and whose end has been told."""

from dataclasses import dataclass
from typing import Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.redis_clients import write

TTL: Final = 7 * 24 * 3600
"""Seconds that a batch is known."""
_COUNTED: Final = ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Batch:
    """``counts``: how many of ``total`` requests ended how; the script that ends a request counts."""

    total: int
    chat_id: int
    locale: str
    counts: dict[str, int]


class Batches:
    """The batches (the queue's Redis; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def is_known(self, batch_id: str) -> bool:
        """Whether a batch has begun."""
        return bool(await self._redis.exists(redis_keys.batch(batch_id)))

    async def begin(self, batch_id: str, total: int, chat_id: int, locale: str) -> None:
        """Note whom a batch is for; again changes nothing."""
        key = redis_keys.batch(batch_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, mapping={"total": total, "chat_id": chat_id, "locale": locale})
            pipeline.expire(key, TTL)
            await pipeline.execute()

    async def shrink(self, batch_id: str, total: int) -> None:
        """Note that only so many of its requests were taken."""
        await self._redis.hset(redis_keys.batch(batch_id), "total", str(total))

    async def note_told(self, batch_id: str, request_id: str) -> None:
        """Note that the end of one of its requests has been told."""
        await write(self._redis, "SADD", redis_keys.batch_told(batch_id), request_id, ttl=TTL)

    async def whole(self, batch_id: str) -> Batch | None:
        """Return a batch of which every end has been told; None of any other."""
        found = cast(dict[str, str], await self._redis.hgetall(redis_keys.batch(batch_id)))
        total = int(found.get("total", 0))
        if not total or int(await self._redis.scard(redis_keys.batch_told(batch_id))) < total:
            return None
        counts = {name: int(found.get(name, 0)) for name in _COUNTED}
        return Batch(total, int(found["chat_id"]), found["locale"], counts)
