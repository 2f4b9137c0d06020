"""The buttons under results and status messages, and what their data says.

Data is typed, at most 64 bytes, and names a request; whoever handles a press checks whose request that is.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from app.bot.texts import Translator
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import RequestRecord, RequestState

_ROW: Final = 4
"""Buttons side by side in a list."""


class ResultAction(StrEnum):
    """What can be done with a result; each has a text ``result-<name>``."""

    AGAIN = "again"
    VARIATION = "variation"
    UPSCALE = "upscale"
    EDIT = "edit"
    RETOUCH = "retouch"
    FILE = "file"


_ACTION_ROWS: Final = (
    (ResultAction.AGAIN, ResultAction.VARIATION),
    (ResultAction.UPSCALE, ResultAction.EDIT, ResultAction.RETOUCH),
    (ResultAction.FILE,),
)
_ANOTHER_PHOTO: Final = frozenset({FailureReason.NO_FACE, FailureReason.BAD_INPUT, FailureReason.POLICY})
_FOR_ALL: Final = ((ResultAction.AGAIN, ResultAction.FILE),)
"""What can be done with all pictures of a result together."""
_OTHERWISE: Final = frozenset({ResultAction.AGAIN, ResultAction.VARIATION})
"""What brings another picture; an upscale and a retouch have no other."""


class ResultButton(CallbackData, prefix="r"):
    """Do something with a picture (numbered from 0) of a request's result."""

    action: ResultAction
    request_id: str
    number: int


ALL: Final = -1
"""The number that stands for all pictures of a result."""


class PickButton(CallbackData, prefix="k"):
    """Show what can be done with a picture (numbered from 0, or ``ALL``) of a result that came as an album."""

    request_id: str
    number: int


class Remedy(StrEnum):
    """What can be done about a failure; each has a text ``remedy-<name>``."""

    AGAIN = "again"
    WORDS = "words"
    PHOTO = "photo"


class FailureButton(CallbackData, prefix="f"):
    """Do something about a request that failed: all that it was made of is kept for a while."""

    remedy: Remedy
    request_id: str


class CancelButton(CallbackData, prefix="x"):
    """Cancel a request; ``listed``: the button stands under a list of requests, not under a status message."""

    request_id: str
    listed: bool = False


class CancelAllButton(CallbackData, prefix="xx"):
    """Cancel whatever the presser has queued or running."""


class HistoryButton(CallbackData, prefix="h"):
    """Show the presser's result at a position, 0 being the newest."""

    position: int


def failure_keyboard(record: RequestRecord, translate: Translator) -> InlineKeyboardMarkup | None:
    """Return what stands under the news that a request failed; None if nothing is known of it any more."""
    if record.state is not RequestState.FAILED or not record.readable:
        return None
    request = record.request
    row = [
        _button(translate(f"remedy-{remedy}"), FailureButton(remedy=remedy, request_id=request.id))
        for remedy in remedies(record)
    ]
    return InlineKeyboardMarkup(inline_keyboard=[row])


def remedies(record: RequestRecord) -> list[Remedy]:
    """Return what can be done about a failure; what needs no words and did not like the photo needs another one."""
    if record.request.prompt:
        return [Remedy.AGAIN, Remedy.WORDS]
    return [Remedy.PHOTO if record.reason in _ANOTHER_PHOTO else Remedy.AGAIN]


def album_keyboard(record: RequestRecord, picked: int | None, translate: Translator) -> InlineKeyboardMarkup:
    """Return what stands below an album: a button for each picture and one for all, then those for the one picked."""
    numbers = [*range(len(record.media)), ALL]
    pick = [
        _button(
            translate("album-picked", what=text) if number == picked else text,
            PickButton(request_id=record.request.id, number=number),
        )
        for number in numbers
        if (text := translate("album-all") if number == ALL else str(number + 1))
    ]
    rows = [] if picked is None else _result_rows(record, picked, translate)
    if picked is None and record.known and offers(ResultAction.AGAIN, record.request.operation, ALL):
        rows = [[_verb_button(record, ResultAction.AGAIN, ALL, translate)]]
    return InlineKeyboardMarkup(inline_keyboard=[pick, *rows])


def offers(action: ResultAction, operation: Operation, number: int) -> bool:
    """Whether something can be done with a picture, or all, of an operation's result."""
    if action in _OTHERWISE and operation in (Operation.RETOUCH, Operation.UPSCALE):
        return False
    return number != ALL or any(action in row for row in _FOR_ALL)


def result_keyboard(record: RequestRecord, number: int, translate: Translator) -> InlineKeyboardMarkup:
    """Return what stands under a picture of a result."""
    return InlineKeyboardMarkup(inline_keyboard=_result_rows(record, number, translate))


def history_keyboard(
    record: RequestRecord, number: int, position: int, total: int, translate: Translator
) -> InlineKeyboardMarkup:
    """Return the same with buttons to the newer and older pictures."""
    newer = HistoryButton(position=position - 1) if position > 0 else None
    older = HistoryButton(position=position + 1) if position + 1 < total else None
    pager = [
        _button(translate(key), target)
        for key, target in (("history-newer", newer), ("history-older", older))
        if target
    ]
    return InlineKeyboardMarkup(
        inline_keyboard=[*_result_rows(record, number, translate), *([pager] if pager else [])]
    )


def status_keyboard(request_id: str, translate: Translator) -> InlineKeyboardMarkup:
    """Return the Cancel button of a status message."""
    return InlineKeyboardMarkup(
        inline_keyboard=[[_button(translate("cancel-button"), CancelButton(request_id=request_id))]]
    )


def requests_keyboard(request_ids: Sequence[str], translate: Translator) -> InlineKeyboardMarkup | None:
    """Return a Cancel button for each request of a list, numbered from 1, and one for all; None for an empty list."""
    if not request_ids:
        return None
    buttons = [
        _button(translate("cancel-number", number=number), CancelButton(request_id=request_id, listed=True))
        for number, request_id in enumerate(request_ids, start=1)
    ]
    rows = [buttons[start : start + _ROW] for start in range(0, len(buttons), _ROW)]
    if len(request_ids) > 1:
        rows.append([_button(translate("cancel-all"), CancelAllButton())])
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _result_rows(record: RequestRecord, number: int, translate: Translator) -> list[list[InlineKeyboardButton]]:
    def row(actions: Iterable[ResultAction]) -> list[InlineKeyboardButton]:
        return [
            _verb_button(record, action, number, translate)
            for action in actions
            if offers(action, record.request.operation, number)
        ]

    return [buttons for actions in (_FOR_ALL if number == ALL else _ACTION_ROWS) if (buttons := row(actions))]


def _verb_button(
    record: RequestRecord, action: ResultAction, number: int, translate: Translator
) -> InlineKeyboardButton:
    text = f"result-{action}"
    if action is ResultAction.FILE and number == ALL:
        text = "result-files"
    elif action is ResultAction.AGAIN and record.known:
        text = "result-new"
    return _button(translate(text), ResultButton(action=action, request_id=record.request.id, number=number))


def _button(text: str, data: CallbackData) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=text, callback_data=data.pack())
