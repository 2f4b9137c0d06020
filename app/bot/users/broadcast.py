"""One message to everybody: its state, in Redis, and the loop that sends it.

Everything lies in Redis, so that after a restart, or on another instance, it goes on where it stopped. Each person is
struck off the list after Telegram's answer; whoever is just being written to when the bot dies may get it twice.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.filters.callback_data import CallbackData
from aiogram.methods import CopyMessage, EditMessageText
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.tasks import end
from app.bot.telegram import is_gone, quietly
from app.bot.texts import Texts, Translator
from app.bot.users.users import Users
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.lua_scripts import load
from app.core.redis_lock import RedisLock

INTERVAL: Final = 0.05
"""Seconds between two people: a third of Telegram's 30 messages a second stays free for others."""
PROGRESS_INTERVAL: Final = 4.0
"""Seconds between two looks of the admin's message."""
CLAIM: Final = 15.0
"""Seconds that the right to send lasts unless it is renewed."""
LOOK_INTERVAL: Final = 2.0
"""Seconds between two looks for something to send."""
_DECIDED_TTL: Final = 30 * 24 * 3600

logger = logging.getLogger(__name__)


class BroadcastAction(StrEnum):
    """What an admin can do about a broadcast."""

    SEND = "send"
    DISCARD = "discard"
    STOP = "stop"


class BroadcastButton(CallbackData, prefix="broadcast"):
    """Does something about the broadcast of the message ``message_id`` of the admin's chat."""

    action: BroadcastAction
    message_id: int


class Start(StrEnum):
    """What came of the wish to start."""

    STARTED = "started"
    KNOWN = "known"
    """It has been started, or discarded, before."""
    BUSY = "busy"
    """Another is under way."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What is being sent to whom. ``progress_id``: the message in the admin's chat that tells how far it is."""

    id: str
    chat_id: int
    message_id: int
    progress_id: int
    state: str
    total: int
    sent: int
    gone: int
    failed: int


class Broadcasts:
    """The broadcast in Redis (the queue's instance; a client with ``decode_responses``). There is one at a time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._start = redis.register_script(load(__file__, "start_broadcast"))
        self._stop = redis.register_script(load(__file__, "stop_broadcast"))
        self._record = redis.register_script(load(__file__, "record_recipient"))

    async def start(self, chat_id: int, message_id: int, progress_id: int) -> Start:
        """Begin to send a message to everybody who has written to the bot and is not banned."""
        broadcast_id = _id(chat_id, progress_id)
        answer = await self._start(
            keys=[
                redis_keys.BROADCAST, redis_keys.BROADCAST_RECIPIENTS, redis_keys.broadcast_decided(broadcast_id),
                redis_keys.USERS, redis_keys.BANNED,
            ],
            args=[broadcast_id, chat_id, message_id, progress_id, _DECIDED_TTL],
        )  # fmt: skip
        return Start(cast(str, answer))

    async def discard(self, chat_id: int, progress_id: int) -> bool:
        """Give a broadcast up before it begins; return False if that was decided before."""
        mark = redis_keys.broadcast_decided(_id(chat_id, progress_id))
        return bool(await self._redis.set(mark, 1, nx=True, ex=_DECIDED_TTL))

    async def stop(self, chat_id: int, progress_id: int) -> bool:
        """Send to nobody more; return False if it is not under way."""
        return bool(await self._stop(keys=[redis_keys.BROADCAST], args=[_id(chat_id, progress_id)]))

    async def current(self) -> Broadcast | None:
        """Return the broadcast that is under way, if there is one."""
        data = cast(dict[str, str], await cast(Any, self._redis.hgetall(redis_keys.BROADCAST)))
        if data.get("state") not in ("running", "stopping"):
            return None
        names = ("chat_id", "message_id", "progress_id", "total", "sent", "gone", "failed")
        return Broadcast(id=data["id"], state=data["state"], **{name: int(data[name]) for name in names})

    async def claim(self, sender: str) -> bool:
        """Claim, or renew, the right to send; return False while another instance has it."""
        return await self._lock(sender).acquire() == sender

    async def release(self, sender: str) -> None:
        """Give the right to send back."""
        await self._lock(sender).release()

    def _lock(self, sender: str) -> RedisLock:
        return RedisLock(self._redis, redis_keys.BROADCAST_SENDER, sender, CLAIM)

    async def next_recipient(self) -> int | None:
        """Return somebody who has not got it yet, those first who were here last; None if all have."""
        found = cast(list[str], await self._redis.zrange(redis_keys.BROADCAST_RECIPIENTS, -1, -1))
        return int(found[0]) if found else None

    async def record(self, sender: str, recipient: int, outcome: str) -> bool:
        """Strike somebody off the list; return False if another instance has the right to send by now."""
        keys = [redis_keys.BROADCAST, redis_keys.BROADCAST_RECIPIENTS, redis_keys.BROADCAST_SENDER]
        return bool(await self._record(keys=keys, args=[sender, recipient, outcome]))

    async def end(self) -> None:
        """Note that nothing more is to be sent."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(redis_keys.BROADCAST, "state", "ended")
            pipeline.delete(redis_keys.BROADCAST_RECIPIENTS)
            await pipeline.execute()


class Broadcaster:
    """Sends what is to be sent; every instance of the bot runs one, and one of them sends at a time."""

    def __init__(self, bot: Bot, broadcasts: Broadcasts, users: Users, texts: Texts, sender: str) -> None:
        self._bot = bot
        self._broadcasts = broadcasts
        self._users = users
        self._texts = texts
        self._sender = sender

    async def run(self) -> None:
        """Send for ever."""
        backoff = Backoff("Redis (broadcast)")
        while True:
            try:
                await self.send()
            except RedisError as error:
                await backoff.wait(error)
            else:
                backoff.reset()
                await asyncio.sleep(LOOK_INTERVAL)

    async def send(self) -> None:
        """Send what is under way to all whom it has not reached, unless another instance does."""
        if await self._broadcasts.current() is None or not await self._broadcasts.claim(self._sender):
            return
        async with self._hold():
            shown = 0.0
            while broadcast := await self._broadcasts.current():
                recipient = await self._broadcasts.next_recipient()
                if broadcast.state == "stopping" or recipient is None:
                    await self._finish(broadcast, stopped=recipient is not None)
                    return
                if time.monotonic() - shown >= PROGRESS_INTERVAL:
                    shown = time.monotonic()
                    await self._show(broadcast, "broadcast-progress", stop=True)
                outcome = await self._send_to(recipient, broadcast)
                if not await self._broadcasts.record(self._sender, recipient, outcome):
                    return
                await asyncio.sleep(INTERVAL)

    async def _send_to(self, recipient: int, broadcast: Broadcast) -> str:
        method = CopyMessage(chat_id=recipient, from_chat_id=broadcast.chat_id, message_id=broadcast.message_id)
        try:
            await self._bot(method)
        except (TelegramAPIError, ClientDecodeError) as error:
            if isinstance(error, TelegramAPIError) and is_gone(error):
                await self._users.leave(recipient)
                return "gone"
            logger.warning("broadcast %s: %d did not get it: %s", broadcast.id, recipient, error)
            return "failed"
        return "sent"

    async def _finish(self, broadcast: Broadcast, *, stopped: bool) -> None:
        await self._show(broadcast, "broadcast-stopped" if stopped else "broadcast-done", stop=False)
        await self._broadcasts.end()
        await self._broadcasts.release(self._sender)

    async def _show(self, broadcast: Broadcast, key: str, *, stop: bool) -> None:
        """Tell the admin how far it is. That it can't be told does not stop it."""
        translate = Translator(self._texts, (await self._users.get(broadcast.chat_id)).locale)
        text = translate(
            key, total=broadcast.total, sent=broadcast.sent, gone=broadcast.gone, failed=broadcast.failed
        )
        keyboard = keyboard_of(translate, broadcast.message_id, BroadcastAction.STOP) if stop else None
        method = EditMessageText(
            chat_id=broadcast.chat_id, message_id=broadcast.progress_id, text=text, reply_markup=keyboard
        )
        try:
            await quietly(self._bot, method)
        except (TelegramAPIError, ClientDecodeError) as error:
            logger.warning("broadcast %s: its progress can't be shown: %s", broadcast.id, error)

    @contextlib.asynccontextmanager
    async def _hold(self) -> AsyncIterator[None]:
        """Keep the right to send for as long as the block takes: flood control can make sending slow."""
        keeper = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            await end([keeper])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(CLAIM / 3)
            with contextlib.suppress(RedisError):  # the next turn tries again
                await self._broadcasts.claim(self._sender)


def keyboard_of(translate: Translator, message_id: int, *actions: BroadcastAction) -> InlineKeyboardMarkup:
    """Return a row of buttons about the broadcast of a message."""
    buttons = [
        InlineKeyboardButton(
            text=translate(f"broadcast-button-{action}"),
            callback_data=BroadcastButton(action=action, message_id=message_id).pack(),
        )
        for action in actions
    ]
    return InlineKeyboardMarkup(inline_keyboard=[buttons])


def _id(chat_id: int, progress_id: int) -> str:
    """A broadcast is known by the message with its buttons."""
    return f"{chat_id}-{progress_id}"
