"""Counts of what happened, for operators: a field each of one hash in the queue's Redis.

The sweeper's script counts what it heals there too (``app/worker/sweeper.py``).
"""

from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.redis_clients import write


class Counter(StrEnum):
    """What is counted."""

    CACHE_HITS = "cache_hits"
    """Requests whose result was known, or was being drawn for somebody."""
    CACHE_MISSES = "cache_misses"
    SUBMITS_UNKNOWN = "submits_unknown"
    """Submits of which nobody could tell what became."""


async def count(redis: Redis, counter: Counter) -> None:
    """Count one more.

    Raises:
        RedisError: there was no answer.
    """
    await write(redis, "HINCRBY", redis_keys.COUNTERS, counter, 1)


async def read(redis: Redis) -> dict[str, int]:
    """Return all counts that are not 0.

    Raises:
        RedisError: there was no answer.
    """
    found: Any = await redis.hgetall(redis_keys.COUNTERS)
    return {str(name): int(value) for name, value in found.items()}
