"""Which of Telegram's errors pass, mean nothing, or mean the end; and what is waited out."""

import asyncio
import json
from typing import Any

import pytest
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import SendChatAction, SendMessage, TelegramMethod
from teremok import MockBot

from app.bot.telegram import EditStatus, WaitOut, is_gone, is_ignorable, passes, quietly

METHOD = SendMessage(chat_id=7, text="hi")


@pytest.mark.parametrize(
    "error",
    [
        TelegramRetryAfter(METHOD, "Too Many Requests", 3),
        TelegramServerError(METHOD, "Bad Gateway"),
        TelegramNetworkError(METHOD, "connection reset"),
        ClientDecodeError("no JSON", json.JSONDecodeError("x", "<html>", 0), "<html>"),
    ],
)
def test_what_can_succeed_later_passes(error: Exception) -> None:
    assert passes(error)


@pytest.mark.parametrize(
    "error",
    [
        TelegramBadRequest(METHOD, "chat not found"),
        TelegramForbiddenError(METHOD, "blocked"),
        TelegramConflictError(METHOD, "terminated by other getUpdates"),
        TelegramEntityTooLarge(METHOD, "Request Entity Too Large"),
        ClientDecodeError("odd shape", ValueError("x"), {}),
    ],
)
def test_what_can_not_does_not(error: Exception) -> None:
    assert not passes(error)


@pytest.mark.parametrize(
    ("message", "ignorable", "gone"),
    [
        ("Bad Request: message is not modified: specified new message content ...", True, False),
        ("Bad Request: message to delete not found", True, False),
        ("Bad Request: query is too old and response timeout expired", True, False),
        ("Bad Request: chat not found", False, True),
        ("Bad Request: message is too long", False, False),
    ],
)
def test_bad_requests_are_told_apart(message: str, ignorable: bool, gone: bool) -> None:
    error = TelegramBadRequest(METHOD, message)
    assert (is_ignorable(error), is_gone(error)) == (ignorable, gone)


def test_a_person_who_blocked_the_bot_is_gone() -> None:
    assert is_gone(TelegramForbiddenError(METHOD, "Forbidden: bot was blocked by the user"))


async def test_quiet_calls_still_tell_real_errors() -> None:
    bot = MockBot()
    bot.add_result(SendMessage, ok=False, description="Bad Request: chat not found")
    await quietly(bot, METHOD)
    bot.add_result(SendMessage, ok=False, description="Bad Request: can't parse entities")
    with pytest.raises(TelegramAPIError):
        await quietly(bot, METHOD)


async def test_trouble_at_telegram_s_end_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        return None

    monkeypatch.setattr(asyncio, "sleep", at_once)
    bot = MockBot()
    bot.session.middleware(WaitOut())
    bot.add_result(SendMessage, ok=False, error_code=502, description="Bad Gateway")
    bot.add_result(SendMessage, ok=False, error_code=500, description="Internal Server Error")
    await bot(METHOD)
    assert len(bot.requests.send_message) == 3


@pytest.mark.parametrize(
    "method", [EditStatus(chat_id=7, message_id=1, text="Drawing…"), SendChatAction(chat_id=7, action="upload_photo")]
)
async def test_what_is_soon_out_of_date_is_not_waited_for(method: TelegramMethod[Any]) -> None:
    bot = MockBot()
    bot.session.middleware(WaitOut())
    bot.add_result(type(method), ok=False, error_code=502, description="Bad Gateway")
    with pytest.raises(TelegramServerError):
        await bot(method)
