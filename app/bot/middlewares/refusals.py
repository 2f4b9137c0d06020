"""A refusal becomes a sentence."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.types import Chat, TelegramObject
from redis.exceptions import OutOfMemoryError

from app.bot.refusals import RefusedError
from app.bot.texts import Translator


class RefusalsMiddleware(BaseMiddleware):
    """Tells the person what a handler refused, or that there is no room for anything just now."""

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle the event."""
        translate: Translator = data["translate"]
        try:
            return await handler(event, data)
        except RefusedError as refusal:
            text = translate(refusal.key, **refusal.variables)
        except OutOfMemoryError:
            text = translate("refused-full")
        bot: Bot = data["bot"]
        chat: Chat | None = data.get("event_chat")
        if chat is not None:
            await bot.send_message(chat.id, text)
        return None
