"""The dispatcher: middlewares and handlers, put together."""

from typing import Any

from aiogram import Dispatcher, F, Router
from aiogram.enums import ChatType

from app.bot.handlers import create, start
from app.bot.middlewares.errors import ErrorsMiddleware
from app.bot.middlewares.voice import VoiceMiddleware
from app.bot.texts import Texts


def make_dispatcher(texts: Texts, **dependencies: Any) -> Dispatcher:
    """Return the dispatcher; handlers get the dependencies by name."""
    dispatcher = Dispatcher(disable_fsm=True, texts=texts, **dependencies)
    dispatcher.update.outer_middleware(VoiceMiddleware(texts))
    dispatcher.update.outer_middleware(ErrorsMiddleware())
    private = Router(name="private chats")
    private.message.filter(F.chat.type == ChatType.PRIVATE)
    private.include_routers(start.make_router(), create.make_router())
    dispatcher.include_router(private)
    return dispatcher
