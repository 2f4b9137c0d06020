"""What stands on buttons, and what they say when they are pressed."""

import pytest
from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardMarkup

from app.bot.delivery.keyboards import (
    ALL,
    CancelAllButton,
    CancelButton,
    HistoryButton,
    PickButton,
    ResultAction,
    ResultButton,
    album_keyboard,
    history_keyboard,
    requests_keyboard,
    result_keyboard,
    status_keyboard,
)
from app.bot.texts import Texts, Translator
from app.core.operations import Operation
from tests.unit.bot.records import record

EN = Translator(Texts(), "en")
FOX = record("u1", 7)

LONGEST_IDS = ["u9999999999", "a9999999999999999-99999999999999999999", "u9999999999-20"]
"""Ids of requests that come from a message, from an album (a chat has up to 52 bits), from a batch."""


def texts(keyboard: InlineKeyboardMarkup | None) -> list[list[str]]:
    assert keyboard
    return [[button.text for button in row] for row in keyboard.inline_keyboard]


def data(keyboard: InlineKeyboardMarkup | None) -> list[str]:
    assert keyboard
    return [str(button.callback_data) for row in keyboard.inline_keyboard for button in row]


def test_a_result_can_be_had_again_changed_and_taken_along() -> None:
    assert texts(result_keyboard(FOX, 0, EN)) == [
        ["🔄 Again", "🎲 Variation"],
        ["🔍 Upscale", "✏️ Edit", "✨ Retouch"],
        ["📄 File"],
    ]


@pytest.mark.parametrize("operation", [Operation.UPSCALE, Operation.RETOUCH])
def test_what_can_not_come_out_otherwise_is_not_offered_again(operation: Operation) -> None:
    assert texts(result_keyboard(record("u1", 7, operation=operation, prompt=""), 0, EN)) == [
        ["🔍 Upscale", "✏️ Edit", "✨ Retouch"],
        ["📄 File"],
    ]


def test_an_album_has_a_button_for_each_picture_and_then_those_for_the_one_picked() -> None:
    four = record("u1", 7, pictures=4)
    assert texts(album_keyboard(four, None, EN)) == [["1", "2", "3", "4", "All"]]
    picked = album_keyboard(four, 1, EN)
    assert texts(picked)[0] == ["1", "· 2 ·", "3", "4", "All"]
    assert picked.inline_keyboard[1:] == result_keyboard(four, 1, EN).inline_keyboard
    assert texts(album_keyboard(four, ALL, EN)) == [["1", "2", "3", "4", "· All ·"], ["🔄 Again", "📄 Files"]]


def test_each_button_says_what_to_do_with_which_picture_of_which_request() -> None:
    assert [ResultButton.unpack(button) for button in data(result_keyboard(FOX, 3, EN))] == [
        ResultButton(action=action, request_id="u1", number=3) for action in ResultAction
    ]


@pytest.mark.parametrize("request_id", LONGEST_IDS)
def test_data_fits_into_64_bytes_and_comes_back_as_it_was(request_id: str) -> None:
    buttons: list[CallbackData] = [
        *(ResultButton(action=action, request_id=request_id, number=9) for action in ResultAction),
        PickButton(request_id=request_id, number=ALL),
        CancelButton(request_id=request_id, listed=True),
        CancelAllButton(),
        HistoryButton(position=199),
    ]
    for button in buttons:
        assert len(button.pack().encode()) <= 64
        assert type(button).unpack(button.pack()) == button


@pytest.mark.parametrize(("position", "pager"), [(0, ["Older ▶"]), (1, ["◀ Newer", "Older ▶"]), (2, ["◀ Newer"])])
def test_the_history_turns_only_where_there_is_a_page(position: int, pager: list[str]) -> None:
    assert texts(history_keyboard(FOX, 0, position, 3, EN))[3:] == [pager]


def test_a_history_of_one_picture_does_not_turn() -> None:
    assert len(texts(history_keyboard(FOX, 0, 0, 1, EN))) == 3


def test_a_status_message_can_be_cancelled() -> None:
    assert data(status_keyboard("u1", EN)) == [CancelButton(request_id="u1").pack()]


def test_a_list_has_a_button_for_each_and_one_for_all() -> None:
    assert requests_keyboard([], EN) is None
    assert texts(requests_keyboard(["u1"], EN)) == [["✖ 1"]]
    assert texts(requests_keyboard([f"u{n}" for n in range(1, 7)], EN)) == [
        ["✖ 1", "✖ 2", "✖ 3", "✖ 4"], ["✖ 5", "✖ 6"], ["Cancel all"],
    ]  # fmt: skip
