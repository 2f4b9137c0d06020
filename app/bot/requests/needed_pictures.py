"""Names the pictures that unanswered requests need, so that none of them goes (``app/core/media_retention.py``)."""

import asyncio
from dataclasses import dataclass
from typing import Final, cast

import obstore.exceptions
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.delivery.waiting import WaitingList
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.media import MediaStore
from app.core.media_retention import NEEDED, NEEDED_EVERY
from app.core.redis_clients import passes
from app.core.requests import RequestStore

AT_ONCE: Final = 500
"""Requests that are looked up in one step."""


@dataclass(frozen=True, slots=True)
class NeededPictures:
    """Writes the list among the pictures; every instance may: each knows all requests."""

    redis: Redis
    requests: RequestStore
    waiting: WaitingList
    media: MediaStore

    async def run(self) -> None:
        """For ever write it anew."""
        backoff = Backoff("the list of needed pictures")
        while True:
            try:
                await self.write()
            except (RedisError, OSError, obstore.exceptions.BaseError) as error:
                if isinstance(error, RedisError) and not passes(error):
                    raise
                await backoff.wait(error)
            else:
                backoff.reset()
                await asyncio.sleep(NEEDED_EVERY)

    async def write(self) -> None:
        """Write what requests need that have not ended, or whose people have not been told."""
        open_ids = cast(list[str], await self.redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1))
        ids = sorted({*open_ids, *self.waiting.waiting})
        keys: set[str] = set()
        for first in range(0, len(ids), AT_ONCE):
            keys |= await self.requests.pictures_of(ids[first : first + AT_ONCE])
        await self.media.put(NEEDED, "".join(f"{key}\n" for key in sorted(keys)).encode())
