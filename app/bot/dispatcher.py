"""The dispatcher: middlewares and handlers, put together."""

from typing import Any

from aiogram import Dispatcher, Router
from aiogram.fsm.storage.base import BaseStorage

from app.bot.filters import is_private
from app.bot.handlers import (
    admin,
    batch,
    cancel,
    create,
    edit,
    failures,
    history,
    leave,
    membership,
    photo,
    results,
    retoucher,
    settings,
    smart_merge,
    start,
    status,
    upscale,
)
from app.bot.middlewares.bans import BansMiddleware
from app.bot.middlewares.errors import ErrorsMiddleware
from app.bot.middlewares.refusals import RefusalsMiddleware
from app.bot.middlewares.returns import ReturnsMiddleware
from app.bot.middlewares.translator import TranslatorMiddleware
from app.bot.texts import Texts
from app.bot.users.users import Users


def make_dispatcher(
    texts: Texts,
    users: Users,
    storage: BaseStorage | None = None,
    **dependencies: Any,
) -> Dispatcher:
    """Return the dispatcher; handlers get the dependencies by name.

    ``storage`` keeps the dialogues; without it they are kept in memory.
    """
    dispatcher = Dispatcher(storage=storage, texts=texts, users=users, **dependencies)
    dispatcher.update.outer_middleware(TranslatorMiddleware(texts, users))
    dispatcher.update.outer_middleware(ErrorsMiddleware())
    dispatcher.update.outer_middleware(RefusalsMiddleware())
    dispatcher.update.outer_middleware(BansMiddleware(users))
    dispatcher.update.outer_middleware(ReturnsMiddleware())
    private = Router(name="private chats")
    for observer in (private.message, private.callback_query, private.my_chat_member):
        observer.filter(is_private)
    private.include_routers(
        photo.make_album_router(),
        leave.make_router(),
        admin.make_router(),
        start.make_router(),
        cancel.make_router(),
        status.make_router(),
        history.make_router(),
        results.make_router(),
        settings.make_router(),
        membership.make_router(),
        batch.make_router(),
        smart_merge.make_router(),
        edit.make_router(),
        retoucher.make_router(),
        upscale.make_router(),
        failures.make_router(),
        photo.make_router(),
        create.make_router(),
        results.make_last_router(),
    )
    dispatcher.include_router(private)
    return dispatcher
