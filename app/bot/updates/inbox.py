"""The durable inbox: updates wait in a Redis stream until they are handled, by any instance of the bot.

Whoever receives an update appends it here and only then acknowledges it to Telegram; so a bot that dies loses none.
An update that Telegram sends again is appended once. What a dead instance had in flight is handled again, by itself
after its restart or by another: what handlers do must come to the same when done twice. What can't be handled is set
aside (``aside.py``): what the bot died of again and again, what has no known shape, what a handler broke down over.

Updates of one chat are handled in order, whoever handles them: each entry names the one that it comes after, if that
was not acknowledged yet, and waits for it.
"""

import asyncio
import contextlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from app.bot.keyed_executor import KeyedExecutor
from app.bot.takeover import Entry, TakeOver
from app.bot.updates import aside
from app.bot.updates.aside import UnreadableError, Why
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.lua_scripts import load
from app.core.redis_retry import retry

T = TypeVar("T")

RawUpdate = dict[str, Any]
HandleUpdate = Callable[[RawUpdate], Awaitable[None]]
TellOfAside = Callable[[RawUpdate, Why], Awaitable[None]]

RECEIVED_TTL: Final = 48 * 3600
"""Seconds that an update is remembered; Telegram keeps what is not acknowledged for 24 hours."""
ABANDONED_AFTER: Final = 6.0
"""Seconds after which an update is taken from an instance that does not show that it lives."""
DELIVERIES: Final = 10
"""How often an update is begun with; then it is taken for what kills the bot, and set aside."""
SUSPECT_AFTER: Final = 3
"""Deaths after which updates that were running are begun with one at a time: only one of them is to blame."""

_SHOW_LIFE: Final = 1.5
"""Seconds between two signs of life for what is in flight."""
_LOOK_AGAIN: Final = 0.05
"""Seconds between two looks whether another instance is done with the chat's earlier update."""
_BLOCK_MS: Final = 5000
_SURROGATES: Final = re.compile("[\ud800-\udfff]")

logger = logging.getLogger(__name__)


async def _tell_nobody(update: RawUpdate, why: Why) -> None:
    """Tell nobody but the log."""


class Inbox:
    """One consumer of the inbox. ``consumer`` stays the same over restarts, and so finds what it left unfinished.

    New updates go into ``executor`` by their chat. Those that a dead instance left go into ``orphaned``, each under
    a key of its own: later updates of their chats, which wait for them, may have begun under the chats' already.
    """

    def __init__(
        self,
        redis: Redis,
        consumer: str,
        handle: HandleUpdate,
        executor: KeyedExecutor,
        orphaned: KeyedExecutor | None = None,
        tell_of_aside: TellOfAside = _tell_nobody,
    ) -> None:
        """``handle`` raises ``UnreadableError`` for what it can't read; ``tell_of_aside`` hears what was."""
        self._redis = redis
        self._consumer = consumer
        self._handle = handle
        self._executor = executor
        self._orphaned = orphaned or KeyedExecutor(1000)
        self._tell_of_aside = tell_of_aside
        self._append = redis.register_script(load(__file__, "append_updates"))
        self._keep = redis.register_script(load(__file__, "keep_entries"))
        self._abandoned = TakeOver(redis, redis_keys.INBOX, redis_keys.INBOX_GROUP, consumer)
        self._begin = redis.register_script(load(__file__, "begin_entry"))
        self._unbegin = redis.register_script(load(__file__, "unbegin_entry"))
        self._acknowledge = redis.register_script(load(__file__, "acknowledge"))
        self._set_aside = redis.register_script(load(__file__, "set_aside"))
        self._suspects = asyncio.Lock()
        self._in_flight: set[str] = set()

    async def receive(self, updates: Sequence[RawUpdate]) -> None:
        """Keep updates; when this returns Telegram may forget them.

        Raises:
            RedisError: they could not be kept (all of them, perhaps); doing it again is safe.
        """
        keys = [redis_keys.INBOX]
        for update in updates:
            keys += (redis_keys.received_update(update["update_id"]), redis_keys.last_update_of(chat_of(update)))
        texts = [_to_text(update) for update in updates]
        try:
            await self._append(keys=keys, args=[RECEIVED_TTL, *texts])
        except OutOfMemoryError:
            # Nothing can be kept, but people still deserve an answer, and Telegram keeps what is not handled.
            logger.error("Redis is full: handling %d updates without the inbox", len(updates))
            for update in updates:
                try:
                    await self._handle(update)
                except RedisError:
                    raise
                except Exception as error:
                    _log(error)

    async def run(self) -> None:
        """Handle updates for ever: in order within a chat, side by side across chats."""
        backoff = Backoff("Redis (inbox)")
        while True:
            try:
                await self._open()
                position = "0"  # first what this instance had in flight when it last stopped
                while position != ">":
                    entries = await self._read(position)
                    await self._take_orphaned(entries)
                    position = entries[-1][0] if entries else ">"
                while True:
                    entries = await self._read(position)
                    backoff.reset()
                    for entry_id, fields in entries:
                        await self._take(entry_id, fields, self._executor)
            except RedisError as error:
                await backoff.wait(error)

    async def tend(self) -> None:
        """For ever show that what is in flight is being handled, and take over what dead instances had in flight.

        While Redis is away nobody can show anything. So what is idle counts as abandoned only if Redis has
        answered promptly for as long as an instance has to show that it lives.
        """
        backoff = Backoff("Redis (inbox)", most=_SHOW_LIFE)
        prompt_since = time.monotonic()
        while True:
            asked = time.monotonic()
            try:
                seconds, micros = await self._redis.time()
                if self._in_flight:
                    group = [redis_keys.INBOX_GROUP, self._consumer]
                    await self._keep(keys=[redis_keys.INBOX], args=[*group, *self._in_flight])
                if time.monotonic() - asked > _SHOW_LIFE:
                    prompt_since = time.monotonic()
                if time.monotonic() - prompt_since > ABANDONED_AFTER:
                    await self._take_over(seconds + micros / 1e6)
            except RedisError as error:
                await backoff.wait(error)
                prompt_since = time.monotonic()
            else:
                backoff.reset()
                await asyncio.sleep(_SHOW_LIFE)

    async def _open(self) -> None:
        try:
            await self._redis.xgroup_create(redis_keys.INBOX, redis_keys.INBOX_GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _read(self, position: str) -> list[Entry]:
        answer: Any = await self._redis.xreadgroup(
            redis_keys.INBOX_GROUP, self._consumer, {redis_keys.INBOX: position}, count=100, block=_BLOCK_MS
        )
        return answer[0][1] if answer else []

    async def _take_over(self, answered: float) -> None:
        for entry_id, fields in await self._abandoned.take(ABANDONED_AFTER, answered, _SHOW_LIFE):
            logger.info("taking over update %s, which nobody handles", entry_id)
            await self._take_orphaned([(entry_id, fields)])

    async def _take_orphaned(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        for entry_id, fields in entries:
            if entry_id not in self._in_flight:  # it is, if it is read again after Redis had been away
                await self._take(entry_id, fields, self._orphaned)

    async def _take(self, entry_id: str, fields: dict[str, str], executor: KeyedExecutor) -> None:
        self._in_flight.add(entry_id)
        update = _from_text(fields.get("update", ""))
        if update is None:
            work = partial(self._put_aside, entry_id, {}, Why.UNREADABLE, text=str(fields))
            await executor.put(entry_id, work)
            return
        key = chat_of(update) if executor is self._executor else entry_id
        orphaned = executor is self._orphaned
        await executor.put(key, partial(self._settle, entry_id, update, fields.get("after"), orphaned=orphaned))

    async def _settle(self, entry_id: str, update: RawUpdate, after: str | None, *, orphaned: bool) -> None:
        """Handle one update and acknowledge it. While Redis is away it is tried again, for nothing is lost then."""
        try:
            if after:
                await _retry(partial(self._wait_for, after))
            deaths = await self._deaths(entry_id) if orphaned else 0
            async with self._suspects if deaths >= SUSPECT_AFTER else contextlib.nullcontext():
                why = Why.DEADLY if deaths >= DELIVERIES else await self._attempt(entry_id, update)
            if why is None:
                keys = [redis_keys.INBOX, redis_keys.INBOX_BEGUN]
                await _retry(partial(self._acknowledge, keys=keys, args=[redis_keys.INBOX_GROUP, entry_id]))
            else:
                await self._put_aside(entry_id, update, why)
        finally:
            self._in_flight.discard(entry_id)

    async def _deaths(self, entry_id: str) -> int:
        count: Any = await _retry(partial(self._redis.hget, redis_keys.INBOX_BEGUN, entry_id))
        return int(count or 0)

    async def _attempt(self, entry_id: str, update: RawUpdate) -> Why | None:
        """Handle an update; return why it can't be, if so. From here on a death is blamed on it."""
        await _retry(partial(self._begin, keys=[redis_keys.INBOX_BEGUN], args=[entry_id, RECEIVED_TTL]))
        try:
            await _retry(partial(self._handle, update))
        except asyncio.CancelledError:  # the bot is told to stop: no death, so nothing to blame the update for
            with contextlib.suppress(RedisError, TimeoutError):
                async with asyncio.timeout(_SHOW_LIFE):
                    await self._unbegin(keys=[redis_keys.INBOX_BEGUN], args=[entry_id])
            raise
        except Exception as error:
            return _log(error)
        return None

    async def _put_aside(self, entry_id: str, update: RawUpdate, why: Why, text: str | None = None) -> None:
        """Acknowledge an update, keep it for those who run the bot, and tell of it."""
        logger.error("update %s is set aside: %s", update.get("update_id"), why)
        kept = (text or _to_text(update))[: aside.TEXT_MAX]
        keys = [redis_keys.INBOX, redis_keys.INBOX_BEGUN, redis_keys.INBOX_ASIDE]
        args: list[str | int] = [redis_keys.INBOX_GROUP, entry_id, kept, why, aside.KEPT, aside.TTL]
        await _retry(partial(self._set_aside, keys=keys, args=args))
        self._in_flight.discard(entry_id)
        await _retry(partial(self._tell_of_aside, update, why))

    async def _wait_for(self, entry_id: str) -> None:
        before = partial(self._redis.xrange, redis_keys.INBOX, entry_id, entry_id)
        while await before():  # noqa: ASYNC110 - the event would have to come from another process
            await asyncio.sleep(_LOOK_AGAIN)


def _log(error: Exception) -> Why:
    """Log why an update could not be handled; nothing of what it says."""
    if isinstance(error, UnreadableError):
        logger.warning("an update is of no shape that is known here: %s", error)
        return Why.UNREADABLE
    logger.error("an update could not be handled", exc_info=error)
    return Why.FAILED


def _from_text(text: str) -> RawUpdate | None:
    try:
        update = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return update if isinstance(update, dict) else None


def _to_text(update: RawUpdate) -> str:
    """Serialise an update. JSON can hold halves of surrogate pairs, which no encoding can: they become U+FFFD."""
    return _SURROGATES.sub("\ufffd", json.dumps(update, ensure_ascii=False))


def chat_of(update: RawUpdate) -> int:
    """Return the chat (or else the person, or 0) that an update belongs to."""
    for content in update.values():
        if isinstance(content, dict):
            message = content.get("message")
            chat = (message if isinstance(message, dict) else content).get("chat")
            for owner in (chat, content.get("from"), content.get("user")):
                if isinstance(owner, dict) and isinstance(owner.get("id"), int):
                    return int(owner["id"])
    return 0


async def _retry(work: Callable[[], Awaitable[T]]) -> T:
    return await retry(work, backoff=Backoff("Redis (update)"))
