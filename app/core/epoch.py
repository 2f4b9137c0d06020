"""Does Redis know all that it once knew? A clock of its own tells.

Every process raises the tick in ``imagebot:epoch`` every two seconds, and remembers the highest that it has seen, in
a file too. A lower one means that Redis has come back with less than it had: emptied, or with an older copy. Scripts
that must not go by such a copy (the claim of a job, whatever begins or changes a request, the claim of an answer) are
guarded: they change nothing and answer ``BEHIND``, which passes, like an outage. The bot sees to what was lost
(``app/bot/answers/recovery.py``) and announces the next epoch; then all go on.
"""

import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.redis_clients import BEHIND, script

TICK_EVERY: Final = 2.0
"""Seconds between two ticks of one process."""

log = logging.getLogger(__name__)

_BEHIND: Final = f"""
-- Returns the present number and tick, the highest that anybody is known to have seen, and whether those are higher.
local function epoch(number, tick)
  local found = redis.call('HMGET', '{redis_keys.EPOCH}', 'number', 'tick', 'seen_number', 'seen_tick')
  for i = 1, 4 do found[i] = tonumber(found[i] or 0) end
  local seen_number, seen_tick = found[3], found[4]
  if number > seen_number or number == seen_number and tick > seen_tick then
    seen_number, seen_tick = number, tick
  end
  local behind = found[1] < seen_number or found[1] == seen_number and found[2] < seen_tick
  return found[1], found[2], seen_number, seen_tick, behind
end
"""
# The last two of ARGV: the highest number and tick that the caller knows; zeros for one who goes by any copy.
_GUARD: Final = f"""
do
  local number, tick = tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV])
  ARGV[#ARGV], ARGV[#ARGV - 1] = nil, nil
  local found = redis.call('HMGET', '{redis_keys.EPOCH}', 'number', 'tick')
  local present = tonumber(found[1] or 0)
  if present < number or present == number and tonumber(found[2] or 0) < tick then
    return redis.error_reply('{BEHIND}Redis knows less than it did')
  end
end
"""
# ARGV: number, tick. Raises the tick, or, where more was seen, leaves that for the others to compare, so that a new
# bot recovers too. Returns whether it was raised, and the highest number and tick.
_TICK: Final = f"""{_BEHIND}
local number, tick, seen_number, seen_tick, behind = epoch(tonumber(ARGV[1]), tonumber(ARGV[2]))
if behind then
  redis.call('HSET', '{redis_keys.EPOCH}', 'seen_number', seen_number, 'seen_tick', seen_tick)
  return {{0, seen_number, seen_tick}}
end
return {{1, number, redis.call('HINCRBY', '{redis_keys.EPOCH}', 'tick', 1)}}
"""
# ARGV: number, tick. Begins the epoch after all that were seen.
_ANNOUNCE: Final = f"""{_BEHIND}
local _, _, seen_number, _, behind = epoch(tonumber(ARGV[1]), tonumber(ARGV[2]))
if behind then
  redis.call('HSET', '{redis_keys.EPOCH}', 'number', seen_number + 1, 'tick', 1)
  redis.call('HDEL', '{redis_keys.EPOCH}', 'seen_number', 'seen_tick')
end
"""
# ARGV: id, number, tick, pairs of the record's fields... Puts a record back that the copy does not have, or has from
# before fal took the request. Returns whether it did.
_WRITE_BACK: Final = f"""{_BEHIND}
local _, _, _, _, behind = epoch(tonumber(ARGV[2]), tonumber(ARGV[3]))
if not behind then return 0 end
local id, key = ARGV[1], '{redis_keys.request("")}' .. ARGV[1]
local fal = redis.call('HGET', key, 'fal')
if fal and fal ~= '' then return 0 end
redis.call('DEL', key)
redis.call('HSET', key, unpack(ARGV, 4))
local user, batch = unpack(redis.call('HMGET', key, 'user', 'batch'))
local at = redis.call('TIME')[1]
redis.call('ZADD', '{redis_keys.OPEN_REQUESTS}', at, id)
redis.call('ZADD', (batch and '{redis_keys.open_batch("")}' or '{redis_keys.open_requests("")}') .. user, at, id)
return 1
"""


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

    def guard(self, redis: Redis, source: str, *, allow_oom: bool = True) -> Callable[..., Awaitable[Any]]:
        """Register a script that answers ``BEHIND`` and does nothing while Redis knows less than this process saw."""
        guarded = script(redis, _GUARD + source, allow_oom=allow_oom)

        async def call(keys: Sequence[str] = (), args: Sequence[Any] = ()) -> Any:
            return await guarded(keys=keys, args=[*args, self.number, self.tick])

        return call


NO_EPOCH: Final = Epoch()
"""Of who has seen nothing: whatever Redis knows will do."""


class EpochClock:
    """Raises the tick, and tells when Redis is behind (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch) -> None:
        self._epoch = epoch
        self._tick, self._announce = script(redis, _TICK), script(redis, _ANNOUNCE)
        self._write_back = script(redis, _WRITE_BACK)

    async def tick(self) -> bool:
        """Raise the tick; return False, having raised nothing, if Redis knows less than it did.

        Raises:
            RedisError: there was no answer.
        """
        raised, number, tick = await self._tick(args=[self._epoch.number, self._epoch.tick])
        self._epoch.see(number, tick)
        return bool(raised)

    async def announce(self) -> None:
        """Begin the next epoch: what was lost has been seen to."""
        await self._announce(args=[self._epoch.number, self._epoch.tick])

    async def write_back(self, request_id: str, fields: Sequence[str]) -> bool:
        """Put a request's record back that Redis has lost (pairs of its fields), while it is behind."""
        return bool(await self._write_back(args=[request_id, self._epoch.number, self._epoch.tick, *fields]))


def state_file(name: str) -> Path | None:
    """Return the file of this name in the unit's state directory, if systemd has made one."""
    directory = os.environ.get("STATE_DIRECTORY")
    return Path(directory) / name if directory else None
