"""/status: what one has queued and being drawn, and the buttons to cancel it."""

import time
from collections.abc import Sequence
from typing import Final

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import InlineKeyboardMarkup, Message

from app.bot.delivery.eta import EtaEstimator, QueueState, RequestStatus, describe
from app.bot.delivery.excerpts import excerpt
from app.bot.delivery.keyboards import requests_keyboard
from app.bot.texts import Translator
from app.core.requests import RequestRecord, RequestStore

LISTED: Final = 20
"""Requests that a list shows."""


async def handle_status(
    message: Message, translate: Translator, requests: RequestStore, estimator: EtaEstimator
) -> None:
    """List the person's requests that have not ended."""
    text, keyboard = await list_requests(message.chat.id, translate, requests, estimator)
    await message.answer(text, reply_markup=keyboard)


async def list_requests(
    user_id: int, translate: Translator, requests: RequestStore, estimator: EtaEstimator, title: str = "status-list"
) -> tuple[str, InlineKeyboardMarkup | None]:
    """Return the list of a person's open requests below a title, and its buttons; or the news that there are none."""
    records = await requests.open_of(user_id)
    if not records:
        return translate("status-none"), None
    listed = records[:LISTED]
    lines = [translate(title), *_lines(listed, await estimator.look(), translate)]
    if len(records) > len(listed):
        lines.append(translate("status-more", count=len(records) - len(listed)))
    return "\n".join(lines), requests_keyboard([record.request.id for record in listed], translate)


def _lines(records: Sequence[RequestRecord], queue_state: QueueState, translate: Translator) -> list[str]:
    now = time.time()
    return [
        translate(
            "status-line",
            number=number,
            what=_what(record, translate),
            status=describe(RequestStatus.of(record), queue_state, translate, now),
        )
        for number, record in enumerate(records, start=1)
    ]


def _what(record: RequestRecord, translate: Translator) -> str:
    operation = translate(f"operation-{record.request.operation}")
    if not record.request.prompt:
        return operation
    return translate("status-what", operation=operation, prompt=excerpt(record.request.prompt))


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="status")
    router.message.register(handle_status, Command("status"))
    return router
