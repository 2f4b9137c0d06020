"""The fence: who has lost the right to answer sends nothing more.

A bot that was stopped for a while (SIGSTOP, a frozen VPS) may wake up in the middle of an answer that another
instance has taken over. So the claim is looked at right before each message leaves, after all waiting for its turn.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType

from app.bot.delivery.pacing import COUNTED
from app.core.errors import ImagebotError

Check = Callable[[], Awaitable[bool]]

_check: ContextVar[Check | None] = ContextVar("check", default=None)


class ClaimLostError(ImagebotError):
    """Another sender has the answer now: this one must leave it alone."""


@contextmanager
def fenced(check: Check) -> Iterator[None]:
    """Let only those messages leave within the block before which ``check`` gives True."""
    token = _check.set(check)
    try:
        yield
    finally:
        _check.reset(token)


class Fence(BaseRequestMiddleware):
    """Asks the check before each message. To be the innermost of the client's middlewares."""

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        """Make the request, unless the right to do so is lost.

        Raises:
            ClaimLostError: it is.
        """
        check = _check.get()
        if check is not None and method.__api_method__ in COUNTED and not await check():
            raise ClaimLostError(f"{method.__api_method__}: another sender has taken over")
        return await make_request(bot, method)
