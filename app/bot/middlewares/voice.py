"""The person's language."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject, User

from app.bot.texts import Texts, Voice


class VoiceMiddleware(BaseMiddleware):
    """Gives handlers ``voice``: the texts in the language of the person's Telegram."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Choose the language and go on."""
        user: User | None = data.get("event_from_user")
        data["voice"] = Voice(self._texts, self._texts.locale_for(user.language_code if user else None))
        return await handler(event, data)
