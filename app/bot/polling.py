"""Long polling: from Telegram into the inbox."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramRetryAfter
from redis.exceptions import OutOfMemoryError, RedisError

from app.bot.inbox import HandleUpdate, Inbox, RawUpdate
from app.bot.outage import Outage
from app.bot.telegram import GetRawUpdates

LONG_POLL: Final = 30
"""Seconds that Telegram holds a request open while there is nothing new."""

logger = logging.getLogger(__name__)


class Polling:
    """Receives updates; Telegram is told so (by the next request's offset) only when they are safe."""

    def __init__(self, bot: Bot, inbox: Inbox, handle: HandleUpdate, allowed_updates: list[str]) -> None:
        self._bot = bot
        self._inbox = inbox
        self._handle = handle
        self._allowed_updates = allowed_updates

    async def run(self, working: Callable[[], None]) -> None:
        """Receive for ever; call ``working`` after the first answer."""
        outage = Outage("Telegram (updates)")
        offset: int | None = None
        timeout = 0  # the first request does not wait: its answer shows that polling works
        while True:
            method = GetRawUpdates(offset=offset, timeout=timeout, allowed_updates=self._allowed_updates)
            try:
                updates = await self._bot(method, request_timeout=timeout + 15)
            except (TelegramAPIError, ClientDecodeError) as error:
                await outage.pause(error, error.retry_after if isinstance(error, TelegramRetryAfter) else 0)
                continue
            outage.over()
            if timeout == 0:
                working()
                timeout = LONG_POLL
            if updates:
                await self._keep(updates)
                offset = max(update["update_id"] for update in updates) + 1

    async def _keep(self, updates: Sequence[RawUpdate]) -> None:
        outage = Outage("Redis (received updates)")
        while True:
            try:
                await self._inbox.append(updates)
            except OutOfMemoryError:
                # Nothing can be kept, but people still deserve an answer, and Telegram keeps what is not handled.
                logger.error("Redis is full: handling %d updates without the inbox", len(updates))
                for update in updates:
                    await self._handle(update)
            except RedisError as error:
                await outage.pause(error)
                continue
            outage.over()
            return
