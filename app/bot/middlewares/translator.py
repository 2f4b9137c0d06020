"""Who is there, and their language."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.enums import ChatType
from aiogram.types import Chat, TelegramObject, User

from app.bot.texts import Texts, Translator
from app.bot.users.preferences import Preferences
from app.bot.users.users import BotUser, Users


class TranslatorMiddleware(BaseMiddleware):
    """Gives handlers ``translate`` (the texts in the person's language), ``preferences`` and ``bot_user``."""

    def __init__(self, texts: Texts, users: Users) -> None:
        self._texts = texts
        self._users = users

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Recognise the person and go on. Only who writes in private is remembered."""
        user: User | None = data.get("event_from_user")
        chat: Chat | None = data.get("event_chat")
        locale = self._texts.locale_for(user.language_code if user else None)
        if user and chat and chat.type == ChatType.PRIVATE:
            bot_user = await self._users.upsert(user.id, locale)
        else:
            bot_user = BotUser(Preferences(), locale)
        data["bot_user"] = bot_user
        data["preferences"] = bot_user.preferences
        data["translate"] = Translator(self._texts, bot_user.locale)
        return await handler(event, data)
