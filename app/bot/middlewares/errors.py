"""What becomes of an error in a handler."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import SendMessage
from aiogram.types import Chat, TelegramObject
from redis.exceptions import RedisError

from app.bot.telegram import is_gone, is_ignorable, quietly
from app.bot.texts import Translator

logger = logging.getLogger(__name__)


class ErrorsMiddleware(BaseMiddleware):
    """Drops what means nothing, lets the inbox repeat what Redis could not do, and apologises for the rest."""

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Handle the update."""
        try:
            return await handler(event, data)
        except RedisError:
            raise
        except Exception as error:
            if isinstance(error, TelegramAPIError) and (is_ignorable(error) or is_gone(error)):
                return None
            logger.exception("an update could not be handled")
        bot: Bot = data["bot"]
        chat: Chat | None = data.get("event_chat")
        translate: Translator = data["translate"]
        if chat is not None:
            await quietly(bot, SendMessage(chat_id=chat.id, text=translate("trouble")))
        return None
