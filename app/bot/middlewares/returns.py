"""Who comes back gets what came meanwhile."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject, User

from app.bot.users.users import BotUser


class ReturnsMiddleware(BaseMiddleware):
    """Has a person who had blocked the bot sent what they have missed, whatever they do now."""

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle the update."""
        bot_user: BotUser = data["bot_user"]
        user: User | None = data.get("event_from_user")
        if bot_user.missed and user:
            await data["ledger"].returned(user.id)
        return await handler(event, data)
