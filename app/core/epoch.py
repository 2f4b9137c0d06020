"""Does Redis know all that it once knew? A clock of its own tells.

Every process raises the tick in ``imagebot:epoch`` every two seconds, and remembers the highest that it has seen, in
a file too. A lower one means that Redis has come back with less than it had: emptied, or with an older copy. Scripts
that must not go by such a copy (the claim of a job, whatever begins or changes a request, the claim of an answer) are
guarded: they change nothing and answer ``BEHIND``, which passes, like an outage. The bot sees to what was lost
(``app/bot/delivery/recovery.py``) and announces the next epoch; then all go on.
"""

import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.lua_scripts import load

TICK_EVERY: Final = 2.0
"""Seconds between two ticks of one process."""

log = logging.getLogger(__name__)


class Epoch:
    """The highest number and tick that this process has seen; kept in ``file`` over restarts, if there is one."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.number, self.tick = 0, 0
        try:
            if file:
                known = json.loads(file.read_text())
                self.number, self.tick = int(known["number"]), int(known["tick"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # the first start; or the file is damaged, and what it knew is not known

    def see(self, number: int, tick: int) -> None:
        """Remember what Redis has told."""
        self.number, self.tick = number, tick
        if self._file:
            try:
                temporary = self._file.with_suffix(".new")
                temporary.write_text(json.dumps({"number": number, "tick": tick}))
                temporary.replace(self._file)
            except OSError as error:
                log.warning("%s: %s", self._file, error.strerror)

    def guard(self, redis: Redis, source: str) -> Callable[..., Awaitable[Any]]:
        """Register a script that includes ``guard``: it does nothing while Redis knows less than this process saw."""
        guarded = redis.register_script(source)

        async def call(keys: Sequence[str] = (), args: Sequence[Any] = ()) -> Any:
            return await guarded(keys=[*keys, redis_keys.EPOCH], args=[*args, self.number, self.tick])

        return call


NO_EPOCH: Final = Epoch()
"""Of who has seen nothing: whatever Redis knows will do."""


class EpochClock:
    """Raises the tick, and tells when Redis is behind (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch) -> None:
        self._epoch = epoch
        self._tick = redis.register_script(load(__file__, "tick"))
        self._announce = redis.register_script(load(__file__, "announce_epoch"))
        self._write_back = redis.register_script(load(__file__, "write_back"))

    async def tick(self) -> bool:
        """Raise the tick; return False, having raised nothing, if Redis knows less than it did.

        Raises:
            RedisError: there was no answer.
        """
        raised, number, tick = await self._tick(keys=[redis_keys.EPOCH], args=[self._epoch.number, self._epoch.tick])
        self._epoch.see(number, tick)
        return bool(raised)

    async def announce(self) -> None:
        """Begin the next epoch: what was lost has been seen to."""
        await self._announce(keys=[redis_keys.EPOCH], args=[self._epoch.number, self._epoch.tick])

    async def write_back(self, request_id: str, fields: Sequence[str]) -> bool:
        """Put a request's record back that Redis has lost (pairs of its fields), while it is behind."""
        keys = [
            redis_keys.EPOCH, redis_keys.request(request_id), redis_keys.OPEN_REQUESTS,
            redis_keys.open_requests(""), redis_keys.open_batch(""),
        ]  # fmt: skip
        args: list[str | int] = [self._epoch.number, self._epoch.tick, request_id, *fields]
        return bool(await self._write_back(keys=keys, args=args))


def state_file(name: str) -> Path | None:
    """Return the file of this name in the unit's state directory, if systemd has made one."""
    directory = os.environ.get("STATE_DIRECTORY")
    return Path(directory) / name if directory else None
