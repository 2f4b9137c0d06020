"""Redis clients with the settings that both sides share."""

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.settings import CoreSettings

SOCKET_TIMEOUT = 15.0
"""Seconds without an answer after which a connection counts as dead; longer than any blocking read here."""


def queue_redis(settings: CoreSettings, *, decode_responses: bool = True) -> AsyncRedis:
    """Return a client of the queue's instance that answers text (or bytes).

    It repeats no command by itself: a repeated ``XADD`` or ``LPUSH`` would not be the same as one.
    """
    return AsyncRedis.from_url(
        str(settings.queue_redis_url),
        decode_responses=decode_responses,
        socket_timeout=SOCKET_TIMEOUT,
        retry=AsyncRetry(NoBackoff(), 0),
        **settings.redis_options(),
    )


def rq_redis(settings: CoreSettings) -> Redis:
    """Return the blocking client that RQ wants: bytes, no repeated commands."""
    return Redis.from_url(
        str(settings.queue_redis_url),
        socket_timeout=SOCKET_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        **settings.redis_options(),
    )
