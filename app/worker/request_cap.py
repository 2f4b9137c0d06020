"""A cap on requests a second to fal, shared by all workers through Redis."""

import asyncio
from typing import Final

from redis.asyncio import Redis

from app.core import redis_keys

# The generic cell rate algorithm (ITU-T I.371): one number, the time at which the next request is due. A caller
# reserves that time and learns how long to wait. KEYS: the number. ARGV: seconds between requests, burst s.
_RESERVE: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1e6
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now - tonumber(ARGV[2]))
redis.call('SET', KEYS[1], string.format('%.6f', due + tonumber(ARGV[1])), 'EX', 60)
return string.format('%.6f', math.max(0, due - now))
"""


class RequestCap:
    """Spaces requests so that all workers together send no more than ``per_second``."""

    def __init__(self, redis: Redis, per_second: float) -> None:
        """Requests may come in bursts of half a second's worth."""
        self._reserve = redis.register_script(_RESERVE)
        self._args = [1 / per_second, 0.5]

    async def wait(self) -> None:
        """Wait until the next request may be sent."""
        delay = float(await self._reserve(keys=[redis_keys.FAL_REQUEST_CAP], args=self._args))
        if delay > 0:
            await asyncio.sleep(delay)
