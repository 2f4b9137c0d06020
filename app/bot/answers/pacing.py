"""Telegram's limits, kept before Telegram has to say so.

All chats share one budget of messages a second, over all instances of the bot, and each chat has its own. Both live
in Redis as the generic cell rate algorithm (ITU-T I.371): one number, the time at which the next message is due.
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

# KEYS: when the next message is due in the chat, and in all. ARGV: messages, interval and burst of the chat, interval
# and burst of all, share of the bursts to leave alone ('' = this message can't wait). Returns the seconds to wait;
# what can wait has its turn only if that is 0.
_RESERVE: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1e6
local kept, wait = tonumber(ARGV[6]), 0
local function due(key, burst)
  local at = math.max(tonumber(redis.call('GET', key) or '0'), now - burst)
  wait = math.max(wait, at + (kept or 0) * burst - now)
  return at
end
local chat, all = due(KEYS[1], tonumber(ARGV[3])), due(KEYS[2], tonumber(ARGV[5]))
if not kept or wait == 0 then
  local function take(key, at)
    redis.call('SET', key, string.format('%.6f', at), 'EX', 60 + math.max(0, math.ceil(at - now)))
  end
  take(KEYS[1], chat + ARGV[1] * ARGV[2])
  take(KEYS[2], all + ARGV[1] * ARGV[4])
end
return string.format('%.6f', wait)
"""

logger = logging.getLogger(__name__)


class Pacing(BaseRequestMiddleware):
    """Lets every message wait for its turn, so that all instances together send no more than ``per_second``."""

    def __init__(self, redis: Redis, per_second: float) -> None:
        self._reserve = redis.register_script(_RESERVE)
        self._interval = 1 / per_second

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """Make the request when it is its turn; at once if Redis is away, since flood control is waited out too."""
        chat_id = getattr(method, "chat_id", None)
        if chat_id is not None and method.__api_method__ in COUNTED and not isinstance(method, EditStatus):
            try:
                await asyncio.sleep(await self._wait(chat_id, _count(method), kept=None))
            except RedisError as error:
                logger.warning("%s goes unpaced: %s", method.__api_method__, type(error).__name__)
        return await make_request(bot, method)

    async def spare(self, chat_id: int) -> float:
        """Take a turn that nothing else needs; return 0, or the seconds until there may be one."""
        return await self._wait(chat_id, 1, kept=KEPT)

    async def _wait(self, chat_id: int | str, count: int, kept: float | None) -> float:
        answer: Any = await self._reserve(
            keys=[redis_keys.pacing(chat_id), redis_keys.PACING_ALL],
            args=[count, CHAT_INTERVAL, CHAT_BURST, self._interval, BURST, "" if kept is None else kept],
        )
        return float(answer)


def _count(method: TelegramMethod[Any]) -> int:
    return len(method.media) if isinstance(method, SendMediaGroup) else 1
