"""DeliveryLedger of more than one message: their states, kept in Redis and shared by all instances."""

from typing import Final

from aiogram.fsm.state import State, StatesGroup
from aiogram.fsm.storage.base import DefaultKeyBuilder
from aiogram.fsm.storage.redis import RedisStorage
from redis.asyncio import Redis

from app.core import redis_keys

DIALOGUE_TTL: Final = 3600
"""Seconds after which an unfinished dialogue is forgotten."""


PHOTO_TTL: Final = 600
"""Seconds for which words that come after a photo's menu are about the photo."""
BURST: Final = 60
"""Seconds between two photos that are meant together."""


class Showing(StatesGroup):
    """A photo without a word: its menu is the question. Data: ``photos``, those sent together, the last one last."""

    menu = State()


class Editing(StatesGroup):
    """``/edit``: the picture, then what to change. Data: ``picture``, a media key, or ``instruction``, if known."""

    picture = State()
    instruction = State()


class Rewording(StatesGroup):
    """What failed, in other words. Data: ``request_id``, what failed."""

    words = State()


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
    """Return where dialogues are kept. They need no lock: the inbox lets a chat's updates in one at a time."""
    keys = DefaultKeyBuilder(prefix=redis_keys.DIALOGUES)
    return RedisStorage(redis, keys, state_ttl=DIALOGUE_TTL, data_ttl=DIALOGUE_TTL)
