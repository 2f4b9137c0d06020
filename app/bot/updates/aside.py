"""Updates that can't be handled: kept where an admin can look at them, and told of, never dropped silently."""

import logging
from enum import StrEnum
from typing import Any, Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.methods import SendMessage

from app.bot.texts import Texts
from app.bot.users.alerts import Alert, Alerts
from app.bot.users.users import Users
from app.core.errors import ImagebotError

KEPT: Final = 100
"""Updates that are kept; older ones go."""
TEXT_MAX: Final = 16 * 1024
"""Characters of an update that are kept."""
TTL: Final = 7 * 24 * 3600
"""Seconds after the last one until all are forgotten."""

logger = logging.getLogger(__name__)


class UnreadableError(ImagebotError):
    """An update is of a shape that is not known here."""


class Why(StrEnum):
    """Why an update was set aside; for each there is a text ``aside-<why>`` for who sent it."""

    DEADLY = "deadly"
    """The bot died of it, time and again."""
    UNREADABLE = "unreadable"
    """Its shape is not known here: a newer Bot API, or nonsense."""
    FAILED = "failed"
    """A bug: the log has a traceback."""


class TellOfAside:
    """Tells of an update that was set aside: whoever sent it, and admins once a day."""

    def __init__(self, bot: Bot, texts: Texts, users: Users, alerts: Alerts) -> None:
        self._bot = bot
        self._texts = texts
        self._users = users
        self._alerts = alerts

    async def __call__(self, update: dict[str, Any], why: Why) -> None:
        """Tell. Only private chats get an answer: in a group nobody has asked the bot for anything."""
        chat_id = _private_chat_of(update)
        if chat_id is not None:
            known = await self._users.get(chat_id)
            if not known.banned:
                await self._say(chat_id, self._texts.translate(known.locale, f"aside-{why}"))
        await self._alerts.tell(Alert.UPDATE_ASIDE)

    async def _say(self, chat_id: int, text: str) -> None:
        try:
            await self._bot(SendMessage(chat_id=chat_id, text=text))
        except (TelegramAPIError, ClientDecodeError) as error:
            logger.info("who sent it could not be told: %s", type(error).__name__)


def _private_chat_of(update: dict[str, Any]) -> int | None:
    """Return the private chat that a message or a button belongs to, as far as an odd update shows it."""
    for kind in ("message", "callback_query"):
        content = update.get(kind)
        message = content.get("message", content) if isinstance(content, dict) else None
        chat = message.get("chat") if isinstance(message, dict) else None
        if isinstance(chat, dict) and chat.get("type") == "private" and isinstance(chat.get("id"), int):
            return int(chat["id"])
    return None
