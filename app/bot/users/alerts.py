"""What admins have to hear of at once, and once a day."""

import logging
import time
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.methods import SendMessage
from redis.asyncio import Redis

from app.bot.texts import Texts, Translator
from app.bot.users.users import Users
from app.core import redis_keys
from app.core.redis_clients import write

_TELLING: Final = 60
"""Seconds after which an alert that nobody could be told is told again."""
_TOLD: Final = 24 * 3600

logger = logging.getLogger(__name__)


class Alert(StrEnum):
    """What happened; each has a text ``alert-<name>``."""

    SPEND_CAP = "spend-cap"
    """The day's money for all people is spent."""
    ACCOUNT_REFUSED = "account-refused"
    """fal takes nothing: no money, a wrong key, a locked account."""
    PROVIDER_DOWN = "provider-down"
    """fal does not answer, and has not for minutes."""
    RESUMED = "resumed"
    """fal is given requests again."""
    NO_ROOM = "no-room"
    """New requests are refused: memory or disk are nearly full."""
    UPDATE_ASIDE = "update-aside"
    """An update could not be handled, and was set aside."""
    RECORDS_LOST = "records-lost"
    """Redis came back with less than it had."""


class Alerts:
    """Tells admins, each in their language."""

    def __init__(self, bot: Bot, redis: Redis, users: Users, texts: Texts, admins: Iterable[int]) -> None:
        self._bot = bot
        self._redis = redis
        self._users = users
        self._texts = texts
        self._admins = sorted(admins)

    async def tell(self, alert: Alert, occasion: str = "", **variables: str | int) -> None:
        """Tell all admins, unless they were told of the same occasion; without one, once a day (UTC)."""
        key = redis_keys.alert(alert, occasion or time.strftime("%Y-%m-%d", time.gmtime()))
        if not await write(self._redis, "SET", key, 1, "NX", "EX", _TELLING):
            return
        logger.warning("alert: %s", alert)
        reached = [await self._tell_one(admin, alert, variables) for admin in self._admins]
        if any(reached) or not reached:
            await self._redis.expire(key, _TOLD)

    async def _tell_one(self, admin: int, alert: Alert, variables: Mapping[str, str | int]) -> bool:
        translate = Translator(self._texts, (await self._users.get(admin)).locale)
        try:
            await self._bot(SendMessage(chat_id=admin, text=translate(f"alert-{alert}", **variables)))
        except (TelegramAPIError, ClientDecodeError) as error:
            logger.warning("admin %d could not be told of %s: %s", admin, alert, error)
            return False
        return True
