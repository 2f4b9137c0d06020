"""Results by what was asked: who asks for the same again gets the same at once (the cache's Redis)."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.operations import Operation
from app.core.redis_clients import REDIS_AWAY

RESULT_TTL: Final = 3 * 24 * 3600
"""Seconds that a result is kept, unless Redis needs the room."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """Pictures that exist: their keys in the media store, and Telegram's names for them."""

    media: tuple[str, ...]
    file_ids: tuple[str, ...]


def cache_key(
    operation: Operation, endpoint: str, prompt: str, inputs: tuple[str, ...], parameters: Mapping[str, Any]
) -> str:
    """Return a hash of all that decides a result. ``inputs`` must be keys that name contents.

    How a prompt is spaced does not matter; its letters' case does (a picture may show them).
    """
    asked = [operation, endpoint, " ".join(prompt.split()), inputs, dict(parameters)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class ResultCache:
    """The results. A cache that is away is an empty one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def get(self, key: str) -> Result | None:
        """Return the result, or None if it is not known."""
        try:
            found = cast(str | None, await self._redis.get(redis_keys.result(key)))
        except REDIS_AWAY as error:
            log.warning("the cache can't be read: %s: %s", type(error).__name__, error)
            return None
        return Result(**{name: tuple(values) for name, values in json.loads(found).items()}) if found else None

    async def put(self, key: str, result: Result) -> None:
        """Keep a result."""
        try:
            await self._redis.set(redis_keys.result(key), json.dumps(asdict(result)), ex=RESULT_TTL)
        except REDIS_AWAY as error:
            log.warning("the cache can't be written: %s: %s", type(error).__name__, error)
