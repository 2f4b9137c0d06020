"""Keeps status messages up to date, however many there are.

All instances of the bot share the work, and none repeats another's: a request is looked at every few seconds, the
most overdue first; its message is edited only if it would say something else, and only with what Telegram's limits
leave over (``app/bot/delivery/pacing.py``). However many are alive, they are then merely edited less often.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramRetryAfter
from aiogram.methods import SendChatAction
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.delivery.eta import EtaEstimator, RequestStatus
from app.bot.delivery.keyboards import status_keyboard
from app.bot.delivery.pacing import Pacing
from app.bot.delivery.status_board import KEYS, LOOK_EVERY, status_text
from app.bot.keyed_executor import KeyedExecutor
from app.bot.telegram import EditStatus, passes, says_unchanged
from app.bot.texts import Texts, Translator
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.lua_scripts import load
from app.core.operations import Operation
from app.core.redis_clients import write
from app.core.requests import RequestState

IDLE: Final = 0.5
"""Seconds to the next look for what is due while nothing is."""
AT_ONCE: Final = 50
"""Requests looked at in one round."""
LEASE: Final = 60.0
"""Seconds after which a request that an instance took into its round, and died, is looked at again."""
MOMENT: Final = 0.5
"""Seconds that an edit waits for its turn; it is put off if it would take longer."""
TRIES: Final = 2
"""How often it waits so."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Status:
    """A status message, what it says (``shown``), and where its request stands."""

    chat_id: int
    message_id: int
    locale: str
    shown: str
    status: RequestStatus

    @classmethod
    def read(cls, row: Sequence[str]) -> "_Status":
        """Read a row of ``lua/status_take.lua``."""
        request_id, chat_id, message_id, locale, shown, operation, state, joined_to, started_at = row
        status = RequestStatus(
            request_id,
            Operation(operation),
            RequestState(state),
            joined_to,
            float(started_at) if started_at else None,
        )
        return cls(int(chat_id), int(message_id), locale, shown, status)


class StatusRefresher:
    """Looks at what is due, and edits."""

    def __init__(
        self,
        bot: Bot,
        redis: Redis,
        estimator: EtaEstimator,
        texts: Texts,
        pacing: Pacing,
        edits: KeyedExecutor,
    ) -> None:
        """``edits`` bounds how many edits are on their way at once."""
        self._bot = bot
        self._redis = redis
        self._estimator = estimator
        self._texts = texts
        self._pacing = pacing
        self._edits = edits
        self._take = redis.register_script(load(__file__, "status_take"))
        self._put_off = redis.register_script(load(__file__, "status_put_off"))

    async def run(self) -> None:
        """Keep the messages up to date for ever."""
        backoff = Backoff("Redis (status messages)")
        while True:
            try:
                looked_at = await self.look()
            except RedisError as error:
                await backoff.wait(error)
            else:
                backoff.reset()
                if looked_at < AT_ONCE:
                    await asyncio.sleep(IDLE)

    async def look(self) -> int:
        """Look at what is due, and begin the edits that this takes; return how many requests were looked at."""
        now, rows = cast(tuple[str, list[list[str]]], await self._take(keys=KEYS, args=[AT_ONCE, LEASE]))
        if not rows:
            return 0
        queue_state = await self._estimator.recent()
        unchanged = []
        for status in map(_Status.read, rows):
            if status.status.is_drawn:
                await self._edits.put(status.chat_id, partial(self._show_drawing, status.chat_id))
            text = status_text(status.status, queue_state, Translator(self._texts, status.locale), float(now))
            if text == status.shown:
                unchanged.append(status.status.request_id)
            elif wait := await self._turn(status.chat_id):
                await self._look_again(wait, status.status.request_id)
            else:
                await self._edits.put(status.chat_id, partial(self._edit, status, text))
        if unchanged:
            await self._look_again(LOOK_EVERY, *unchanged)
        return len(rows)

    async def _show_drawing(self, chat_id: int) -> None:
        """Let Telegram say that a picture is on its way, until the next look; not worth an error."""
        with suppress(TelegramAPIError, ClientDecodeError):
            await self._bot(SendChatAction(chat_id=chat_id, action=ChatAction.UPLOAD_PHOTO))

    async def _turn(self, chat_id: int) -> float:
        """Take a turn to send something; return 0, or the seconds after which it is worth to ask again."""
        wait = await self._pacing.spare(chat_id)
        for _ in range(TRIES):
            if not 0 < wait <= MOMENT:
                break
            await asyncio.sleep(wait)
            wait = await self._pacing.spare(chat_id)
        return wait

    async def _look_again(self, seconds: float, *request_ids: str) -> None:
        await self._put_off(keys=KEYS, args=[seconds, *request_ids])

    async def _edit(self, status: _Status, text: str) -> None:
        """Edit a message. What does not succeed at once is left to the next look, or to nobody."""
        request_id = status.status.request_id
        try:
            wait = await self._try_edit(status, text)
            if wait is None:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    pipeline.zrem(redis_keys.STATUS_WAITING, request_id)
                    pipeline.zrem(redis_keys.STATUS_DRAWING, request_id)
                    await pipeline.execute()
            else:
                await self._look_again(wait, request_id)
        except RedisError as error:  # the lease runs out, and it is looked at again
            logger.warning("request %s: its status waits: %s: %s", request_id, type(error).__name__, error)

    async def _try_edit(self, status: _Status, text: str) -> float | None:
        """Return the seconds to the next look, or None if the message is none any more."""
        translate, request_id = Translator(self._texts, status.locale), status.status.request_id
        method = EditStatus(
            chat_id=status.chat_id, message_id=status.message_id, text=text,
            reply_markup=status_keyboard(request_id, translate),
        )  # fmt: skip
        try:
            await self._bot(method)
        except (TelegramAPIError, ClientDecodeError) as error:
            if passes(error):
                return max(LOOK_EVERY, error.retry_after if isinstance(error, TelegramRetryAfter) else 0.0)
            if not says_unchanged(error):
                logger.info("request %s: its status can't be edited: %s", request_id, error)
                return None
        await write(self._redis, "HSET", redis_keys.ledger_entry(request_id), "shown", text)
        return LOOK_EVERY
