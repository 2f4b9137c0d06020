"""A picture alone: the menu of what can be done with it."""

from datetime import timedelta
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, DeleteMessage, SendMessage
from aiogram.types import (
    Chat,
    InaccessibleMessage,
    Message,
)
from teremok import MockCallbackQuery, MockMessageText

from app.bot.requests.dialogues import Merging, Showing
from app.bot.requests.photo_menu import PhotoAction, PhotoButton
from app.core.operations import Operation
from tests.unit.bot.photo_stage import ANNA, Stage, document, photo


async def test_a_photo_without_a_caption_gets_a_menu_in_reply(stage: Stage) -> None:
    message = photo()
    result = await stage.bot.dispatch(message)
    menu: Any = result.requests.send_message[0]
    buttons = [button for row in menu.reply_markup.inline_keyboard for button in row]
    assert {PhotoButton.unpack(button.callback_data).action for button in buttons} == set(PhotoAction)
    assert menu.reply_parameters.message_id == message.message_id
    assert stage.photos.taken == []


async def test_a_document_is_looked_at_before_anything_is_offered(stage: Stage) -> None:
    assert await stage.gets(document()) == ["What shall I do with it?"]
    stage.photos.refused["document"] = "photo-broken"
    assert "damaged" in (await stage.gets(document()))[0]


@pytest.mark.parametrize(
    ("action", "operation"), [(PhotoAction.RETOUCH, Operation.RETOUCH), (PhotoAction.UPSCALE, Operation.UPSCALE)]
)
async def test_the_menu_retouches_and_enlarges(stage: Stage, action: PhotoAction, operation: Operation) -> None:
    message = photo()
    assert await stage.presses(action, message) == []
    assert stage.ordered() == (operation, "", ("photo",))
    [(_, target)] = stage.submitter.specs
    assert (target.user_id, target.message_id) == (ANNA.id, message.message_id)


async def test_the_menu_asks_what_to_change(stage: Stage) -> None:
    assert "What should I change" in (await stage.presses(PhotoAction.EDIT, photo()))[0]
    await stage.hears("make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_the_menu_collects_for_a_merge(stage: Stage) -> None:
    assert "at least one more" in (await stage.presses(PhotoAction.MERGE, photo("one")))[0]
    assert "2 photos" in (await stage.presses(PhotoAction.MERGE, photo("two")))[0]
    assert await stage.state() == Merging.pictures.state


# -- words after a photo -----------------------------------------------------------------------------------------


def _later(seconds: int, words: str = "make it winter") -> Message:
    message = MockMessageText(words, user=ANNA)
    return message.model_copy(update={"date": message.date + timedelta(seconds=seconds)})


async def test_words_after_a_photo_s_menu_edit_the_photo(stage: Stage) -> None:
    await stage.sees("photo")
    assert await stage.gets(_later(599)) == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))
    assert await stage.state() is None


async def test_words_much_later_draw_something_new(stage: Stage) -> None:
    await stage.sees("photo")
    await stage.gets(_later(700))
    assert stage.ordered() == (Operation.CREATE, "make it winter", ())


async def test_words_after_two_edits_are_about_nothing_shown(stage: Stage) -> None:
    await stage.sees("photo")
    await stage.hears("make it winter")
    await stage.hears("a fox")
    assert [spec.operation for spec, _ in stage.submitter.specs] == [Operation.EDIT, Operation.CREATE]


async def test_a_caption_after_a_photo_s_menu_is_about_its_own_photo(stage: Stage) -> None:
    await stage.sees("one")
    await stage.sees("two", "make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("two",))


async def test_words_that_are_refused_can_be_sent_again(stage: Stage) -> None:
    await stage.sees("photo")
    stage.submitter.takes = False
    await stage.hears("make it winter")
    stage.submitter.takes = True
    await stage.hears("make it summer")
    assert [spec.inputs for spec, _ in stage.submitter.specs] == [("photo",), ("photo",)]


async def test_who_draws_something_new_says_so(stage: Stage) -> None:
    message = photo()
    await stage.gets(message)
    asked = (await stage.bot.get_data())["question"]
    menu = MockMessageText("menu", user=ANNA, reply_to_message=message).model_copy(update={"message_id": asked})
    press = MockCallbackQuery(PhotoButton(action=PhotoAction.NEW).pack(), user=ANNA, message=menu)
    result = await stage.bot.dispatch(press)
    [answer] = [method for method in result.requests.all if isinstance(method, AnswerCallbackQuery)]
    assert answer.text == "All right: tell me what to draw."
    await stage.hears("a fox")
    assert stage.ordered() == (Operation.CREATE, "a fox", ())


@pytest.mark.parametrize("action", list(PhotoAction))
async def test_the_menu_goes_once_it_is_used(stage: Stage, action: PhotoAction) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    press = MockCallbackQuery(PhotoButton(action=action).pack(), user=ANNA, message=menu)
    assert await stage.deletes(press) == [menu.message_id]


async def test_the_menu_stays_while_what_is_wanted_is_refused(stage: Stage) -> None:
    stage.submitter.takes = False
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    assert (
        await stage.deletes(
            MockCallbackQuery(PhotoButton(action=PhotoAction.UPSCALE).pack(), user=ANNA, message=menu)
        )
        == []
    )


async def test_a_photo_of_which_nothing_is_remembered_hinders_nothing(stage: Stage) -> None:
    await stage.bot.set_state(Showing.menu)
    assert await stage.sees("photo") == ["What shall I do with it?"]
    await stage.bot.set_data({})
    await stage.bot.set_state(Showing.menu)
    await stage.hears("a fox")
    assert stage.ordered() == (Operation.CREATE, "a fox", ())


async def test_photos_in_a_burst_have_one_menu_and_are_merged_together(stage: Stage) -> None:
    one, two = photo("one"), photo("two")
    assert await stage.gets(one) == ["What shall I do with it?"]
    result = await stage.bot.dispatch(two)
    assert [type(method) for method in result.requests.all] == [DeleteMessage, SendMessage]
    menu: Any = result.requests.send_message[0]
    assert "these 2 photos" in menu.text
    assert "2 photos of 10" in (await stage.presses(PhotoAction.MERGE, two))[0]
    await stage.hears("together")
    assert stage.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_the_menu_of_a_photo_that_came_long_before_stays(stage: Stage) -> None:
    await stage.gets(photo("one"))
    later = photo("two")
    later = later.model_copy(update={"date": later.date + timedelta(seconds=61)})
    assert await stage.deletes(later) == []


GONE = InaccessibleMessage(chat=Chat(id=ANNA.id, type="private"), message_id=5)


@pytest.mark.parametrize("action", [action for action in PhotoAction if action is not PhotoAction.NEW])
@pytest.mark.parametrize(
    "menu", [GONE, MockMessageText("menu"), MockMessageText("menu", reply_to_message=MockMessageText("no picture"))]
)
async def test_a_button_without_its_photo_does_nothing(stage: Stage, action: PhotoAction, menu: Any) -> None:
    assert "can't see that picture any more" in (await stage.presses(action, None, menu))[0]
    assert stage.submitter.specs == []
    assert await stage.state() is None


async def test_a_press_is_answered_first_even_if_that_comes_too_late(stage: Stage) -> None:
    stage.bot.add_result(AnswerCallbackQuery, ok=False, error_code=400, description="Bad Request: query is too old")
    await stage.presses(PhotoAction.RETOUCH, photo())
    assert isinstance(stage.bot.requests.all[0], AnswerCallbackQuery)
    assert stage.ordered() == (Operation.RETOUCH, "", ("photo",))


@pytest.mark.parametrize("data", ["p", "p:", "p:dance", "p:edit:more", "p:" + "x" * 60])
async def test_a_forged_button_does_nothing(stage: Stage, data: str) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    await stage.gets(MockCallbackQuery(data, user=ANNA, message=menu))
    assert stage.submitter.specs == []
