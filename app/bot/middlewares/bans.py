"""People who are not served."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import TelegramObject, Update, User

from app.bot.settings import BotSettings
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.bot.users.users import BotUser, Users


class BansMiddleware(BaseMiddleware):
    """Stops what banned people send, and tells them so now and then."""

    def __init__(self, users: Users) -> None:
        self._users = users

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Go on with everybody else's updates."""
        bot_user: BotUser = data["bot_user"]
        user: User | None = data.get("event_from_user")
        if not bot_user.banned or user is None or not isinstance(event, Update):
            return await handler(event, data)
        bot: Bot = data["bot"]
        translate: Translator = data["translate"]
        settings: BotSettings = data["settings"]
        contact = settings.contact
        text = translate("refused-banned-contact", contact=contact) if contact else translate("refused-banned")
        if event.callback_query:
            await quietly(bot, AnswerCallbackQuery(callback_query_id=event.callback_query.id, text=text))
        elif event.message and await self._users.is_to_be_told_of_ban(user.id):
            await quietly(bot, SendMessage(chat_id=user.id, text=text))
        return None
