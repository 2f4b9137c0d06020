"""Redis clients with the settings that both sides share."""

import asyncio
import logging
from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from app.core.lua_scripts import load
from app.core.settings import CoreSettings

log = logging.getLogger(__name__)

REDIS_AWAY: Final = (RedisConnectionError, RedisTimeoutError, ResponseError)
"""Errors that pass, and errors of ours that do not: ``passes`` tells them apart."""

_PASSING: Final = (
    RedisConnectionError,  # gone, loading, a changed password
    RedisTimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    NoPermissionError,
    ClusterDownError,  # a replica whose primary is away says MASTERDOWN, which is one
)
BEHIND: Final = "BEHIND "
"""Begins what a guarded script says while Redis knows less than it did (``app/core/epoch.py``)."""
_PASSING_CODES: Final = ("MISCONF ", "BUSY ", BEHIND)
"""For these redis-py has no classes of their own: the disk is full; a script takes too long."""

SOCKET_TIMEOUT = 15.0
"""Seconds without an answer after which a connection counts as dead; longer than any blocking read here."""

CONNECTIONS_MAX: Final = 2000
"""Connections of one process: more than it has in flight at once. redis-py's own limit, 100, looks like an outage."""


def queue_redis(settings: CoreSettings, *, decode_responses: bool = True) -> AsyncRedis:
    """Return a client of the queue's instance that answers text (or bytes).

    It repeats no command by itself: a repeated ``XADD`` or ``LPUSH`` would not be the same as one.
    """
    return AsyncRedis.from_url(
        str(settings.queue_redis_url),
        decode_responses=decode_responses,
        socket_timeout=SOCKET_TIMEOUT,
        max_connections=CONNECTIONS_MAX,
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


def passes(error: Exception) -> bool:
    """Whether the same call can succeed later, with nothing changed on our side.

    Anything else that Redis answers (a script that breaks, a wrong type) is a bug: repeating it helps nobody.
    """
    return isinstance(error, _PASSING) or (isinstance(error, ResponseError) and str(error).startswith(_PASSING_CODES))


async def write(redis: AsyncRedis, command: str, key: str, *words: str | int | float, ttl: int | None = None) -> Any:
    """Run one command that writes, also while Redis' memory is full: one without which nothing that was taken ends.

    ``ttl``: seconds that its key then stands.
    """
    run = redis.register_script(load(__file__, "write"))
    return await run(keys=[key], args=["" if ttl is None else ttl, command, *words])


def check_cancelled() -> None:
    """Raise ``CancelledError`` if the running task was cancelled and that came to nothing.

    redis-py sends through ``asyncio.wait_for``, which in Python 3.11 swallows a cancellation that comes just when
    the sending is done. So what talks to Redis in a loop, or in many steps, must look for itself.
    """
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


def stay() -> None:
    """Let the running task go on after a cancellation that it has caught."""
    task = asyncio.current_task()
    while task and task.cancelling():
        task.uncancel()
