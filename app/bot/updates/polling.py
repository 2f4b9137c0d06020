"""Long polling: from Telegram into the inbox."""

from collections.abc import Callable, Sequence
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramRetryAfter
from redis.exceptions import RedisError

from app.bot.telegram import GetRawUpdates
from app.bot.updates.inbox import Inbox, RawUpdate
from app.core.backoff import Backoff

LONG_POLL: Final = 30
"""Seconds that Telegram holds a request open while there is nothing new."""


class Polling:
    """Receives updates; Telegram is told so (by the next request's offset) only when they are safe."""

    def __init__(self, bot: Bot, inbox: Inbox, allowed_updates: list[str]) -> None:
        self._bot = bot
        self._inbox = inbox
        self._allowed_updates = allowed_updates

    async def run(self, working: Callable[[], None]) -> None:
        """Receive for ever; call ``working`` after the first answer."""
        await self._bot.delete_webhook(
            drop_pending_updates=False
        )  # left from the other mode, it would forbid polling
        backoff = Backoff("Telegram (updates)")
        offset: int | None = None
        timeout = 0  # the first request does not wait: its answer shows that polling works
        while True:
            method = GetRawUpdates(offset=offset, timeout=timeout, allowed_updates=self._allowed_updates)
            try:
                updates = await self._bot(method, request_timeout=timeout + 15)
            except (TelegramAPIError, ClientDecodeError) as error:
                await backoff.wait(error, error.retry_after if isinstance(error, TelegramRetryAfter) else 0)
                continue
            backoff.reset()
            if timeout == 0:
                working()
                timeout = LONG_POLL
            if updates:
                await self._keep(updates)
                offset = max(update["update_id"] for update in updates) + 1

    async def _keep(self, updates: Sequence[RawUpdate]) -> None:
        backoff = Backoff("Redis (received updates)")
        while True:
            try:
                await self._inbox.receive(updates)
            except RedisError as error:
                await backoff.wait(error)
            else:
                backoff.reset()
                return
