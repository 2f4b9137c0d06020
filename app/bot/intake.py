"""Taking a request on: the limits, the record, the queue."""

import asyncio
from dataclasses import dataclass

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import OutOfMemoryError
from rq import Queue

from app.bot.conversations import Conversations
from app.core import redis_keys
from app.core.queues import QUEUE, enqueue
from app.core.rate_limit import RateLimiter
from app.core.requests import ImageRequest, RequestStore


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is queued, with ``ahead`` others before it."""

    ahead: int


@dataclass(frozen=True, slots=True)
class TooMany:
    """The person has sent too many; ``wait``: seconds until the next is allowed."""

    wait: float


@dataclass(frozen=True, slots=True)
class QueueFull:
    """Redis takes nothing more."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes requests on. Doing it again for the same request (its update was handled twice) changes nothing."""

    redis: AsyncRedis
    rq: Redis
    requests: RequestStore
    conversations: Conversations
    limiter: RateLimiter

    async def __call__(self, request: ImageRequest, message_id: int) -> Accepted | TooMany | QueueFull:
        """Queue a request that came with the message ``message_id``."""
        if await self.requests.load(request.id) is None and (wait := await self.limiter.hit(request.user_id)):
            return TooMany(wait)
        try:
            await self.requests.create(request)
            await self.conversations.begin(request.id, message_id)
            await asyncio.to_thread(enqueue, self.rq, request.id)
        except OutOfMemoryError:
            await self.conversations.forget(request.id)
            await self.redis.delete(redis_keys.request(request.id))
            return QueueFull()
        waiting = await asyncio.to_thread(lambda: Queue(QUEUE, connection=self.rq).count)
        return Accepted(ahead=max(0, waiting - 1))
