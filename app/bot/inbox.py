"""The durable inbox: updates wait in a Redis stream until they are handled.

Whoever receives an update appends it here and only then acknowledges it to Telegram; so a bot that dies loses none.
An update that Telegram sends again is appended once. One that was being handled when the bot died is handled again:
what handlers do must come to the same when done twice.
"""

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.bot.lanes import Lanes
from app.bot.outage import Outage
from app.core import redis_keys

RawUpdate = dict[str, Any]
HandleUpdate = Callable[[RawUpdate], Awaitable[None]]

RECEIVED_TTL: Final = 48 * 3600
"""Seconds that an update is remembered; Telegram keeps what is not acknowledged for 24 hours."""

_BLOCK_MS: Final = 5000

# KEYS: inbox, then a mark for each update. ARGV: time to live of the marks, then the updates.
_APPEND: Final = """
for i = 2, #KEYS do
  if redis.call('SET', KEYS[i], 1, 'NX', 'EX', ARGV[1]) then
    redis.call('XADD', KEYS[1], '*', 'update', ARGV[i])
  end
end
"""

logger = logging.getLogger(__name__)


class Inbox:
    """One consumer of the inbox. ``consumer`` stays the same over restarts, and so finds what it left unfinished."""

    def __init__(self, redis: Redis, consumer: str, handle: HandleUpdate, lanes: Lanes) -> None:
        self._redis = redis
        self._consumer = consumer
        self._handle = handle
        self._lanes = lanes
        self._append = redis.register_script(_APPEND)
        self._in_hand: set[str] = set()

    async def append(self, updates: Sequence[RawUpdate]) -> None:
        """Keep updates; when this returns they are safe.

        Raises:
            redis.exceptions.OutOfMemoryError: Redis is full; none was kept.
        """
        marks = [redis_keys.received_update(update["update_id"]) for update in updates]
        texts = [json.dumps(update, ensure_ascii=False) for update in updates]
        await self._append(keys=[redis_keys.INBOX, *marks], args=[RECEIVED_TTL, *texts])

    async def run(self) -> None:
        """Handle updates for ever: in order within a chat, side by side across chats."""
        outage = Outage("Redis (inbox)")
        while True:
            try:
                await self._open()
                position = "0"  # first what this instance had in hand when it last stopped
                while True:
                    entries = await self._read(position)
                    outage.over()
                    for entry_id, fields in entries:
                        await self._take(entry_id, fields)
                    if position != ">":
                        position = entries[-1][0] if entries else ">"
            except RedisError as error:
                await outage.pause(error)

    async def _open(self) -> None:
        try:
            await self._redis.xgroup_create(redis_keys.INBOX, redis_keys.INBOX_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _read(self, position: str) -> list[tuple[str, dict[str, str]]]:
        answer: Any = await self._redis.xreadgroup(
            redis_keys.INBOX_GROUP, self._consumer, {redis_keys.INBOX: position}, count=100, block=_BLOCK_MS
        )
        return answer[0][1] if answer else []

    async def _take(self, entry_id: str, fields: dict[str, str]) -> None:
        if entry_id in self._in_hand:  # read again after Redis had been away
            return
        self._in_hand.add(entry_id)
        update: RawUpdate = json.loads(fields["update"])
        await self._lanes.put(chat_of(update), partial(self._settle, entry_id, update))

    async def _settle(self, entry_id: str, update: RawUpdate) -> None:
        """Handle one update and strike it off. While Redis is away it is tried again, for nothing is lost then."""
        try:
            await _insist(partial(self._handle, update))
            await _insist(partial(self._strike_off, entry_id))
        finally:
            self._in_hand.discard(entry_id)

    async def _strike_off(self, entry_id: str) -> None:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xack(redis_keys.INBOX, redis_keys.INBOX_GROUP, entry_id)
            pipeline.xdel(redis_keys.INBOX, entry_id)
            await pipeline.execute()


def chat_of(update: RawUpdate) -> int:
    """Return the chat (or else the person, or 0) that an update belongs to."""
    for content in update.values():
        if isinstance(content, dict):
            message = content.get("message") or content
            owner = message.get("chat") or content.get("from") or content.get("user")
            if owner:
                return int(owner["id"])
    return 0


async def _insist(work: Callable[[], Awaitable[None]]) -> None:
    outage = Outage("Redis (update)")
    while True:
        try:
            await work()
        except RedisError as error:
            await outage.pause(error)
        else:
            outage.over()
            return
