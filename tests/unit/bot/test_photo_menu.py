"""A picture alone: the menu of what can be done with it."""

from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery
from aiogram.types import (
    Chat,
    InaccessibleMessage,
)
from teremok import MockCallbackQuery, MockMessageText

from app.bot.orders.dialogues import Merging
from app.bot.orders.photo_menu import Deed, PhotoButton
from app.core.operations import Operation
from tests.unit.bot.photo_stage import ANNA, Stage, document, photo


async def test_a_photo_without_a_caption_gets_a_menu_in_reply(stage: Stage) -> None:
    message = photo()
    result = await stage.bot.dispatch(message)
    menu: Any = result.requests.send_message[0]
    buttons = [button for row in menu.reply_markup.inline_keyboard for button in row]
    assert {PhotoButton.unpack(button.callback_data).deed for button in buttons} == set(Deed)
    assert menu.reply_parameters.message_id == message.message_id
    assert stage.photos.taken == []


async def test_a_document_is_looked_at_before_anything_is_offered(stage: Stage) -> None:
    assert await stage.gets(document()) == ["What shall I do with it?"]
    stage.photos.refused["document"] = "photo-broken"
    assert "damaged" in (await stage.gets(document()))[0]


@pytest.mark.parametrize(
    ("deed", "operation"), [(Deed.RETOUCH, Operation.RETOUCH), (Deed.UPSCALE, Operation.UPSCALE)]
)
async def test_the_menu_retouches_and_enlarges(stage: Stage, deed: Deed, operation: Operation) -> None:
    message = photo()
    assert await stage.presses(deed, message) == []
    assert stage.ordered() == (operation, "", ("photo",))
    [(_, origin)] = stage.intake.orders
    assert (origin.user_id, origin.message_id) == (ANNA.id, message.message_id)


async def test_the_menu_asks_what_to_change(stage: Stage) -> None:
    assert "What should I change" in (await stage.presses(Deed.EDIT, photo()))[0]
    await stage.hears("make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_the_menu_collects_for_a_merge(stage: Stage) -> None:
    assert "at least one more" in (await stage.presses(Deed.MERGE, photo("one")))[0]
    assert "2 photos" in (await stage.presses(Deed.MERGE, photo("two")))[0]
    assert await stage.state() == Merging.pictures.state


GONE = InaccessibleMessage(chat=Chat(id=ANNA.id, type="private"), message_id=5)


@pytest.mark.parametrize("deed", list(Deed))
@pytest.mark.parametrize(
    "menu", [GONE, MockMessageText("menu"), MockMessageText("menu", reply_to_message=MockMessageText("no picture"))]
)
async def test_a_button_without_its_photo_does_nothing(stage: Stage, deed: Deed, menu: Any) -> None:
    assert "can't see that picture any more" in (await stage.presses(deed, None, menu))[0]
    assert stage.intake.orders == []
    assert await stage.state() is None


async def test_a_press_is_answered_first_even_if_that_comes_too_late(stage: Stage) -> None:
    stage.bot.add_result(AnswerCallbackQuery, ok=False, error_code=400, description="Bad Request: query is too old")
    await stage.presses(Deed.RETOUCH, photo())
    assert isinstance(stage.bot.requests.all[0], AnswerCallbackQuery)
    assert stage.ordered() == (Operation.RETOUCH, "", ("photo",))


@pytest.mark.parametrize("data", ["p", "p:", "p:dance", "p:edit:more", "p:" + "x" * 60])
async def test_a_forged_button_does_nothing(stage: Stage, data: str) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    await stage.gets(MockCallbackQuery(data, user=ANNA, message=menu))
    assert stage.intake.orders == []
