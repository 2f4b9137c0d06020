"""Telegram's limits, kept before Telegram has to say so.

All chats share one budget of messages a second, over all instances of the bot, and each chat has its own. Both live
in Redis (``app/core/throttle.py``).
What people wait for reserves its turn; status messages take only what is left over.
"""

import asyncio
import logging
from typing import Any, Final

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import Response, SendMediaGroup, TelegramMethod
from aiogram.methods.base import TelegramType
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.telegram import EditStatus
from app.core import redis_keys
from app.core.throttle import Limit, Throttle

CHAT_INTERVAL: Final = 1.0
"""Seconds between two messages to one chat, in the long run."""
CHAT_BURST: Final = 3.0
"""Seconds that a chat may be ahead of that: four messages at once."""
BURST: Final = 0.5
"""Seconds that all chats together may be ahead of their rate."""
KEPT: Final = 0.6
"""Share of both bursts that what can wait leaves to what can't."""

COUNTED: Final = frozenset({
    "sendMessage", "sendPhoto", "sendDocument", "sendMediaGroup", "copyMessage",
    "editMessageText", "editMessageCaption", "editMessageMedia", "editMessageReplyMarkup",
})  # fmt: skip
"""The calls that count as messages."""

logger = logging.getLogger(__name__)


class Pacing(BaseRequestMiddleware):
    """Lets every message wait for its turn, so that all instances together send no more than ``per_second``."""

    def __init__(self, redis: Redis, per_second: float) -> None:
        self._throttle = Throttle(redis)
        self._of_all = Limit(redis_keys.PACING_ALL, 1 / per_second, BURST)

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """Make the request when it is its turn; at once if Redis is away, since flood control is waited out too."""
        chat_id = getattr(method, "chat_id", None)
        if chat_id is not None and method.__api_method__ in COUNTED and not isinstance(method, EditStatus):
            try:
                await asyncio.sleep(await self._throttle.reserve(self._limits(chat_id), _count(method)))
            except RedisError as error:
                logger.warning("%s goes unpaced: %s", method.__api_method__, type(error).__name__)
        return await make_request(bot, method)

    async def spare(self, chat_id: int) -> float:
        """Take a turn that nothing else needs; return 0, or the seconds until there may be one."""
        return await self._throttle.spare(self._limits(chat_id), KEPT)

    def _limits(self, chat_id: int | str) -> list[Limit]:
        return [Limit(redis_keys.pacing(chat_id), CHAT_INTERVAL, CHAT_BURST), self._of_all]


def _count(method: TelegramMethod[Any]) -> int:
    return len(method.media) if isinstance(method, SendMediaGroup) else 1
