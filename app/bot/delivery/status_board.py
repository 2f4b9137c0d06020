"""One status message per request: queued, drawing, gone.

What is shown lies in the request's ledger entry, and when to look at it next in two sorted sets (waiting, drawing):
``status_refresher.py`` keeps the messages up to date.
"""

from typing import Final, cast

from aiogram import Bot
from aiogram.methods import DeleteMessage, SendMessage
from redis.asyncio import Redis

from app.bot.delivery.eta import EtaEstimator, QueueState, RequestStatus, describe
from app.bot.delivery.keyboards import status_keyboard
from app.bot.delivery.ledger import TTL
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core import redis_keys
from app.core.lua_scripts import load
from app.core.requests import ImageRequest, RequestState

LOOK_EVERY: Final = 4.0
"""Seconds between two looks at a request, and so the least between two edits of its message."""

KEYS: Final = (
    redis_keys.STATUS_WAITING,
    redis_keys.STATUS_DRAWING,
    redis_keys.ledger_entry(""),
    redis_keys.request(""),
)
"""The KEYS of each script."""


class StatusBoard:
    """Sends and removes the status messages."""

    def __init__(self, bot: Bot, redis: Redis, estimator: EtaEstimator) -> None:
        self._bot = bot
        self._redis = redis
        self._estimator = estimator
        self._begin = redis.register_script(load(__file__, "status_begin"))
        self._move = redis.register_script(load(__file__, "status_move"))

    async def begin(self, request: ImageRequest, translate: Translator) -> None:
        """Show a request that has just been taken, unless it is shown already; one of a batch has no message."""
        key = redis_keys.ledger_entry(request.id)
        shown, ended = cast(list[str | None], await self._redis.hmget(key, ["status_message_id", "ended"]))
        if request.batch or shown or ended:
            return
        status = RequestStatus(request.id, request.operation, RequestState.QUEUED)
        text = status_text(status, await self._estimator.look(), translate, request.created_at)
        message = await self._bot(
            SendMessage(chat_id=request.chat_id, text=text, reply_markup=status_keyboard(request.id, translate))
        )
        fields = {
            "status_message_id": message.message_id, "chat_id": request.chat_id, "locale": translate.locale,
            "operation": request.operation, "shown": text,
        }  # fmt: skip
        pairs = [str(part) for pair in fields.items() for part in pair]
        if not await self._begin(keys=KEYS, args=[request.id, LOOK_EVERY, TTL, *pairs]):
            await self.remove(request.id)  # the answer was faster

    async def changed(self, request_id: str) -> None:
        """Note that a request is being drawn now, or waits again."""
        await self._move(keys=KEYS, args=[request_id])

    async def remove(self, request_id: str) -> None:
        """Delete the request's status message, if there is one."""
        key = redis_keys.ledger_entry(request_id)
        chat_id, message_id = cast(list[str | None], await self._redis.hmget(key, ["chat_id", "status_message_id"]))
        if chat_id is None or message_id is None:
            return
        await quietly(self._bot, DeleteMessage(chat_id=int(chat_id), message_id=int(message_id)))
        # No transaction: while memory is full Redis queues nothing for one, not even what frees memory.
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hdel(key, "status_message_id")
            pipeline.zrem(redis_keys.STATUS_WAITING, request_id)
            pipeline.zrem(redis_keys.STATUS_DRAWING, request_id)
            await pipeline.execute()


def status_text(status: RequestStatus, queue_state: QueueState, translate: Translator, now: float) -> str:
    """Return what a status message says at the time ``now`` (Unix s)."""
    text = describe(status, queue_state, translate, now)
    return text if status.is_drawn else translate("status-taken", status=text)
