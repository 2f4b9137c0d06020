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
from tests.unit.bot.photo_harness import ANNA, Harness, document, photo


async def test_a_photo_without_a_caption_gets_a_menu_in_reply(harness: Harness) -> None:
    message = photo()
    result = await harness.bot.dispatch(message)
    menu: Any = result.requests.send_message[0]
    buttons = [button for row in menu.reply_markup.inline_keyboard for button in row]
    assert {PhotoButton.unpack(button.callback_data).action for button in buttons} == set(PhotoAction)
    assert menu.reply_parameters.message_id == message.message_id
    assert harness.photos.taken == []


async def test_a_document_is_looked_at_before_anything_is_offered(harness: Harness) -> None:
    assert await harness.gets(document()) == ["What shall I do with it?"]
    harness.photos.refused["document"] = "photo-broken"
    assert "damaged" in (await harness.gets(document()))[0]


@pytest.mark.parametrize(
    ("action", "operation"), [(PhotoAction.RETOUCH, Operation.RETOUCH), (PhotoAction.UPSCALE, Operation.UPSCALE)]
)
async def test_the_menu_retouches_and_enlarges(harness: Harness, action: PhotoAction, operation: Operation) -> None:
    message = photo()
    assert await harness.presses(action, message) == []
    assert harness.ordered() == (operation, "", ("photo",))
    [(_, target)] = harness.submitter.specs
    assert (target.user_id, target.message_id) == (ANNA.id, message.message_id)


async def test_the_menu_asks_what_to_change(harness: Harness) -> None:
    assert "What should I change" in (await harness.presses(PhotoAction.EDIT, photo()))[0]
    await harness.hears("make it winter")
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_the_menu_collects_for_a_merge(harness: Harness) -> None:
    assert "at least one more" in (await harness.presses(PhotoAction.MERGE, photo("one")))[0]
    assert "2 photos" in (await harness.presses(PhotoAction.MERGE, photo("two")))[0]
    assert await harness.state() == Merging.pictures.state


# -- words after a photo -----------------------------------------------------------------------------------------


def _later(seconds: int, words: str = "make it winter") -> Message:
    message = MockMessageText(words, user=ANNA)
    return message.model_copy(update={"date": message.date + timedelta(seconds=seconds)})


async def test_words_after_a_photo_s_menu_edit_the_photo(harness: Harness) -> None:
    await harness.sees("photo")
    assert await harness.gets(_later(599)) == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))
    assert await harness.state() is None


async def test_words_much_later_draw_something_new(harness: Harness) -> None:
    await harness.sees("photo")
    await harness.gets(_later(700))
    assert harness.ordered() == (Operation.CREATE, "make it winter", ())


async def test_words_after_two_edits_are_about_nothing_shown(harness: Harness) -> None:
    await harness.sees("photo")
    await harness.hears("make it winter")
    await harness.hears("a fox")
    assert [spec.operation for spec, _ in harness.submitter.specs] == [Operation.EDIT, Operation.CREATE]


async def test_a_caption_after_a_photo_s_menu_is_about_its_own_photo(harness: Harness) -> None:
    await harness.sees("one")
    await harness.sees("two", "make it winter")
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("two",))


async def test_words_that_are_refused_can_be_sent_again(harness: Harness) -> None:
    await harness.sees("photo")
    harness.submitter.takes = False
    await harness.hears("make it winter")
    harness.submitter.takes = True
    await harness.hears("make it summer")
    assert [spec.inputs for spec, _ in harness.submitter.specs] == [("photo",), ("photo",)]


async def test_who_draws_something_new_says_so(harness: Harness) -> None:
    message = photo()
    await harness.gets(message)
    asked = (await harness.bot.get_data())["question"]
    menu = MockMessageText("menu", user=ANNA, reply_to_message=message).model_copy(update={"message_id": asked})
    press = MockCallbackQuery(PhotoButton(action=PhotoAction.NEW).pack(), user=ANNA, message=menu)
    result = await harness.bot.dispatch(press)
    [answer] = [method for method in result.requests.all if isinstance(method, AnswerCallbackQuery)]
    assert answer.text == "All right: tell me what to draw."
    await harness.hears("a fox")
    assert harness.ordered() == (Operation.CREATE, "a fox", ())


@pytest.mark.parametrize("action", list(PhotoAction))
async def test_the_menu_goes_once_it_is_used(harness: Harness, action: PhotoAction) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    press = MockCallbackQuery(PhotoButton(action=action).pack(), user=ANNA, message=menu)
    assert await harness.deletes(press) == [menu.message_id]


async def test_the_menu_stays_while_what_is_wanted_is_refused(harness: Harness) -> None:
    harness.submitter.takes = False
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    assert (
        await harness.deletes(
            MockCallbackQuery(PhotoButton(action=PhotoAction.UPSCALE).pack(), user=ANNA, message=menu)
        )
        == []
    )


async def test_a_photo_of_which_nothing_is_remembered_hinders_nothing(harness: Harness) -> None:
    await harness.bot.set_state(Showing.menu)
    assert await harness.sees("photo") == ["What shall I do with it?"]
    await harness.bot.set_data({})
    await harness.bot.set_state(Showing.menu)
    await harness.hears("a fox")
    assert harness.ordered() == (Operation.CREATE, "a fox", ())


async def test_photos_in_a_burst_have_one_menu_and_are_merged_together(harness: Harness) -> None:
    one, two = photo("one"), photo("two")
    assert await harness.gets(one) == ["What shall I do with it?"]
    result = await harness.bot.dispatch(two)
    assert [type(method) for method in result.requests.all] == [DeleteMessage, SendMessage]
    menu: Any = result.requests.send_message[0]
    assert "these 2 photos" in menu.text
    assert "2 photos of 10" in (await harness.presses(PhotoAction.MERGE, two))[0]
    await harness.hears("together")
    assert harness.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_the_menu_of_a_photo_that_came_long_before_stays(harness: Harness) -> None:
    await harness.gets(photo("one"))
    later = photo("two")
    later = later.model_copy(update={"date": later.date + timedelta(seconds=61)})
    assert await harness.deletes(later) == []


GONE = InaccessibleMessage(chat=Chat(id=ANNA.id, type="private"), message_id=5)


@pytest.mark.parametrize("action", [action for action in PhotoAction if action is not PhotoAction.NEW])
@pytest.mark.parametrize(
    "menu", [GONE, MockMessageText("menu"), MockMessageText("menu", reply_to_message=MockMessageText("no picture"))]
)
async def test_a_button_without_its_photo_does_nothing(harness: Harness, action: PhotoAction, menu: Any) -> None:
    assert "can't see that picture any more" in (await harness.presses(action, None, menu))[0]
    assert harness.submitter.specs == []
    assert await harness.state() is None


async def test_a_press_is_answered_first_even_if_that_comes_too_late(harness: Harness) -> None:
    harness.bot.add_result(AnswerCallbackQuery, ok=False, error_code=400, description="Bad Request: query is too old")
    await harness.presses(PhotoAction.RETOUCH, photo())
    assert isinstance(harness.bot.requests.all[0], AnswerCallbackQuery)
    assert harness.ordered() == (Operation.RETOUCH, "", ("photo",))


@pytest.mark.parametrize("data", ["p", "p:", "p:dance", "p:edit:more", "p:" + "x" * 60])
async def test_a_forged_button_does_nothing(harness: Harness, data: str) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    await harness.gets(MockCallbackQuery(data, user=ANNA, message=menu))
    assert harness.submitter.specs == []
