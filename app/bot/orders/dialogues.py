"""Conversations of more than one message: their states, kept in Redis and shared by all instances."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import BaseEventIsolation, DefaultKeyBuilder, StorageKey
from aiogram.fsm.storage.redis import RedisStorage
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import OutOfMemoryError, RedisError

from app.bot.tasks import end
from app.core import redis_keys

DIALOGUE_TTL: Final = 3600
"""Seconds after which an unfinished dialogue is forgotten."""
HOLD: Final = 10.0
"""Seconds after which a dead instance's lock on a chat is gone; a living one renews it."""
_LOOK_AGAIN: Final = 0.05
"""Seconds between two attempts to get the lock."""


class Editing(StatesGroup):
    """``/edit``: the picture, then what to change. Data: ``picture``, a media key, or ``instruction``, if known."""

    picture = State()
    instruction = State()


class Merging(StatesGroup):
    """``/merge``: pictures, then how to put them together. Data: ``pictures``, message id -> media key."""

    pictures = State()


class Retouching(StatesGroup):
    """``/retouch``: the portrait."""

    picture = State()


class Upscaling(StatesGroup):
    """``/upscale``: the picture."""

    picture = State()


def dialogue_storage(redis: Redis) -> RedisStorage:
    """Return where dialogues are kept."""
    return RedisStorage(redis, _keys(), state_ttl=DIALOGUE_TTL, data_ttl=DIALOGUE_TTL)


def _keys() -> DefaultKeyBuilder:
    return DefaultKeyBuilder(prefix=redis_keys.DIALOGUES)


class OneAtATime(BaseEventIsolation):
    """Lets only one instance handle a chat's updates at a time.

    aiogram's own lock is not renewed: it would end under a handler that flood control holds up, or outlive a dead
    instance by as long.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._keys = _keys()

    @contextlib.asynccontextmanager
    async def lock(self, key: StorageKey) -> AsyncIterator[None]:
        """Hold a chat's lock."""
        lock = self._redis.lock(self._keys.build(key, "lock"), timeout=HOLD, sleep=_LOOK_AGAIN)
        try:
            await lock.acquire()
        except OutOfMemoryError:  # people deserve an answer all the same
            yield
            return
        keeper = asyncio.create_task(_renew(lock))
        try:
            yield
        finally:
            await end([keeper])
            # An update that was handled is not to be handled again because the lock had ended before.
            with contextlib.suppress(RedisError):
                await lock.release()

    async def close(self) -> None:
        """Nothing is held open."""


async def _renew(lock: Lock) -> None:
    while True:
        await asyncio.sleep(HOLD / 3)
        with contextlib.suppress(RedisError):  # the next turn tries again
            await lock.reacquire()
