"""Calls to Telegram's Bot API: a client that waits out what passes, and which errors mean nothing or the end."""

import asyncio
import json
import logging
from functools import cache
from typing import Any, Final

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import EditMessageText, GetMe, Response, SendChatAction, TelegramMethod
from aiogram.methods.base import TelegramType

from app.bot.settings import BotSettings
from app.core.backoff import Backoff

logger = logging.getLogger(__name__)

_UNCHANGED: Final = "message is not modified"

_IGNORABLE: Final = (
    _UNCHANGED,
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "message to delete not found",
    "message can't be deleted",
    "query is too old",
)
"""What Telegram says when the wish is fulfilled already, or nobody needs it any more."""

_GONE: Final = ("chat not found", "user is deactivated", "user not found", "peer_id_invalid")
"""What Telegram says when there is nobody to talk to (besides 403)."""


def is_ignorable(error: TelegramAPIError) -> bool:
    """Whether the error means nothing to anybody."""
    return isinstance(error, TelegramBadRequest) and _mentions(error, _IGNORABLE)


def says_unchanged(error: Exception) -> bool:
    """Whether an edit failed because the message says that already."""
    return isinstance(error, TelegramBadRequest) and _mentions(error, (_UNCHANGED,))


def is_gone(error: TelegramAPIError) -> bool:
    """Whether the person has blocked the bot or no longer exists."""
    return isinstance(error, TelegramForbiddenError) or (
        isinstance(error, TelegramBadRequest) and _mentions(error, _GONE)
    )


def _mentions(error: TelegramAPIError, phrases: tuple[str, ...]) -> bool:
    return any(phrase in error.message.lower() for phrase in phrases)


def passes(error: Exception) -> bool:
    """Whether the same call can succeed later: flood control, a lost connection, trouble at Telegram's end."""
    if isinstance(error, ClientDecodeError):  # a proxy's page instead of JSON; a surprising shape would not pass
        return isinstance(error.original, json.JSONDecodeError)
    if isinstance(error, TelegramEntityTooLarge):  # aiogram counts it among the network's errors
        return False
    return isinstance(error, TelegramRetryAfter | TelegramServerError | TelegramNetworkError)


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """``getUpdates`` as Telegram sent it: nothing a newer Bot API adds is lost, nothing unknown breaks polling."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    timeout: int = 0
    allowed_updates: list[str] | None = None


class EditStatus(EditMessageText):
    """The edit of a status message: it has had its turn, and is left out rather than waited for."""


@cache
def _answer_model(method: type[TelegramMethod[Any]]) -> type[Response[Any]]:
    """Keep the model of a method's answers: pydantic itself forgets it, and would make it anew for every call."""
    return Response[method.__returning__]  # type: ignore[name-defined]  # known only when it is called


_OWN_WAITS: Final = frozenset({GetRawUpdates, GetMe, EditStatus, SendChatAction})
"""Polling and starting space their attempts themselves; the others are not worth a wait."""


class WaitOut(BaseRequestMiddleware):
    """Repeats a call until it succeeds or can't, so that handlers see only errors that stay.

    A call whose answer got lost on the way is repeated too: rather a message twice than never.
    """

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """Make the request, as often as it takes."""
        _answer_model(type(method))
        if type(method) in _OWN_WAITS:
            return await make_request(bot, method)
        backoff = Backoff(f"Telegram ({method.__api_method__})")
        while True:
            try:
                answer = await make_request(bot, method)
            except (TelegramAPIError, ClientDecodeError) as error:
                if not passes(error):
                    raise
                if isinstance(error, TelegramRetryAfter):
                    logger.info("flood control: %s waits %d s", method.__api_method__, error.retry_after)
                    await asyncio.sleep(error.retry_after)
                else:
                    await backoff.wait(error)
            else:
                backoff.reset()
                return answer


async def quietly(bot: Bot, method: TelegramMethod[Any]) -> None:
    """Make a call that may come too late: whatever is ignorable, or has nobody to see it, is no error."""
    try:
        await bot(method)
    except TelegramAPIError as error:
        if not (is_ignorable(error) or is_gone(error)):
            raise


def make_bot(settings: BotSettings) -> Bot:
    """Return the client. Texts are plain (no parse mode), so that a person's markup stays what it is."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(str(settings.telegram_api_url)))
    session.middleware(WaitOut())
    return Bot(settings.telegram_token.get_secret_value(), session=session)
