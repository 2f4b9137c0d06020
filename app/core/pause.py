"""A pause: the drawing service takes nothing for now, so nothing is asked of it, and every request is kept.

``imagebot:paused`` holds what the trouble is. While it stands the claim of jobs (``app/worker/leases.py``) gives out
one job every ``PROBE_EVERY`` seconds, to probe: its failure renews the pause, its success ends it. Without a probe it
runs out by itself. A pause without a time to live, set by hand, stands until it is deleted.
"""

import json
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.lua_scripts import load
from app.core.redis_retry import retried

TTL: Final = 60
"""Seconds that a pause stands after it was last renewed."""
PROBE_EVERY: Final = 15
"""Seconds after a pause's renewal until one job probes."""
REASON_MAX: Final = 200
"""Characters that are kept of what the service said."""


class PauseKind(StrEnum):
    """What the trouble is."""

    ACCOUNT = "account"
    """The account is refused: a wrong key, no money, a lock. An operator must see to it."""
    PROVIDER_DOWN = "provider-down"
    """The service does not answer, or not as it should."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The trouble: ``reason`` in the service's words, ``since`` (Unix s by Redis' clock) names the incident."""

    kind: PauseKind
    reason: str
    since: int

    @classmethod
    def parse(cls, text: str | None) -> "Pause | None":
        """Return the pause that ``imagebot:paused`` tells of. A text of no known form is a reason."""
        if text is None:
            return None
        try:
            data = json.loads(text)
            return cls(PauseKind(data["kind"]), str(data["reason"]), int(data["since"]))
        except (ValueError, KeyError, TypeError):
            return cls(PauseKind.ACCOUNT, plain_words(str(text)), 0)


class Pauses:
    """Begins, ends and tells of the pause (the queue's Redis; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, *, retries: bool = False) -> None:
        """``retries``: to begin and to end a pause is repeated until Redis answers."""
        self._redis = redis
        self.retries = retries
        self._begin = redis.register_script(load(__file__, "begin_pause"))

    @retried
    async def begin(self, kind: PauseKind, reason: str) -> bool:
        """Begin or renew a pause; return whether an incident begins with it."""
        return bool(await self._begin(keys=[redis_keys.PAUSED], args=[kind, plain_words(reason), TTL]))

    @retried
    async def end(self) -> bool:
        """End the pause, if there is one: the service has taken something."""
        return bool(await self._redis.delete(redis_keys.PAUSED))

    async def current(self) -> Pause | None:
        """Return the pause that stands, if any."""
        return Pause.parse(cast(str | None, await self._redis.get(redis_keys.PAUSED)))


def plain_words(text: str) -> str:
    """Return a stranger's words without control and format characters, on one line, cut to ``REASON_MAX``."""
    kept = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(kept.split())[:REASON_MAX]
