"""The buttons under results and status messages, and what their data says.

Data is typed, at most 64 bytes, and names a request; whoever handles a press checks whose request that is.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from app.bot.texts import Voice
from app.core.operations import Operation
from app.core.requests import RequestRecord

_ROW: Final = 4
"""Buttons side by side in a list."""


class Verb(StrEnum):
    """What can be done with a result; each has a text ``result-<name>``."""

    AGAIN = "again"
    VARIATION = "variation"
    UPSCALE = "upscale"
    EDIT = "edit"
    RETOUCH = "retouch"
    FILE = "file"


_VERB_ROWS: Final = ((Verb.AGAIN, Verb.VARIATION), (Verb.UPSCALE, Verb.EDIT, Verb.RETOUCH), (Verb.FILE,))
_OTHERWISE: Final = frozenset({Verb.AGAIN, Verb.VARIATION})
"""What brings another picture; an upscale and a retouch have no other."""


class ResultButton(CallbackData, prefix="r"):
    """Do something with a picture (numbered from 0) of a request's result."""

    verb: Verb
    request_id: str
    number: int


class CancelButton(CallbackData, prefix="x"):
    """Cancel a request; ``listed``: the button stands under a list of requests, not under a status message."""

    request_id: str
    listed: bool = False


class CancelAllButton(CallbackData, prefix="xx"):
    """Cancel whatever the presser has queued or running."""


class HistoryButton(CallbackData, prefix="h"):
    """Show the presser's result at a position, 0 being the newest."""

    position: int


def offers(verb: Verb, operation: Operation) -> bool:
    """Whether something can be done with a result of an operation."""
    return verb not in _OTHERWISE or operation not in (Operation.RETOUCH, Operation.UPSCALE)


def result_keyboard(record: RequestRecord, number: int, voice: Voice) -> InlineKeyboardMarkup:
    """Return what stands under a picture of a result."""
    return InlineKeyboardMarkup(inline_keyboard=_result_rows(record, number, voice))


def history_keyboard(
    record: RequestRecord, number: int, position: int, total: int, voice: Voice
) -> InlineKeyboardMarkup:
    """Return the same with buttons to the newer and older pictures."""
    newer = HistoryButton(position=position - 1) if position > 0 else None
    older = HistoryButton(position=position + 1) if position + 1 < total else None
    pager = [
        _button(voice(key), target) for key, target in (("history-newer", newer), ("history-older", older)) if target
    ]
    return InlineKeyboardMarkup(inline_keyboard=[*_result_rows(record, number, voice), *([pager] if pager else [])])


def status_keyboard(request_id: str, voice: Voice) -> InlineKeyboardMarkup:
    """Return the Cancel button of a status message."""
    return InlineKeyboardMarkup(
        inline_keyboard=[[_button(voice("cancel-button"), CancelButton(request_id=request_id))]]
    )


def standing_keyboard(request_ids: Sequence[str], voice: Voice) -> InlineKeyboardMarkup | None:
    """Return a Cancel button for each request of a list, numbered from 1, and one for all; None for an empty list."""
    if not request_ids:
        return None
    buttons = [
        _button(voice("cancel-number", number=number), CancelButton(request_id=request_id, listed=True))
        for number, request_id in enumerate(request_ids, start=1)
    ]
    rows = [buttons[start : start + _ROW] for start in range(0, len(buttons), _ROW)]
    if len(request_ids) > 1:
        rows.append([_button(voice("cancel-all"), CancelAllButton())])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _result_rows(record: RequestRecord, number: int, voice: Voice) -> list[list[InlineKeyboardButton]]:
    request = record.request

    def row(verbs: Iterable[Verb]) -> list[InlineKeyboardButton]:
        return [
            _button(voice(f"result-{verb}"), ResultButton(verb=verb, request_id=request.id, number=number))
            for verb in verbs
            if offers(verb, request.operation)
        ]

    return [buttons for verbs in _VERB_ROWS if (buttons := row(verbs))]


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())
