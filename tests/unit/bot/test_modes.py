"""Dialogues: what they ask, and how they are left."""

from datetime import timedelta
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, DeleteMessage
from aiogram.types import Message
from teremok import MockCallbackQuery, MockMessageText, MockUser

from app.bot.requests.dialogues import Editing, Merging, Retouching, Upscaling
from app.bot.requests.questions import LeaveButton, Meant, WordsButton
from app.core.operations import Operation
from tests.unit.bot.photo_harness import ANNA, Harness, photo

LATER = timedelta(seconds=61)


def _words(text: str = "make it winter", after: timedelta = LATER, user: Any = ANNA) -> Message:
    message = MockMessageText(text, user=user)
    return message.model_copy(update={"date": message.date + after})


async def _question(harness: Harness, about: Message | None = None) -> Message:
    """The question that is open, as Telegram sends it along with a press."""
    asked = (await harness.bot.get_data())["question"]
    message = MockMessageText("question", user=ANNA, reply_to_message=about)
    return message.model_copy(update={"message_id": asked})


def _means(meant: Meant, question: Message, user: Any = ANNA) -> Any:
    return MockCallbackQuery(WordsButton(meant=meant).pack(), user=user, message=question)


# -- questions ---------------------------------------------------------------------------------------------------


async def test_a_question_replies_to_its_picture_and_can_be_left(harness: Harness) -> None:
    shown = photo("replied")
    result = await harness.bot.dispatch(MockMessageText("/edit", user=ANNA, reply_to_message=shown))
    question: Any = result.requests.send_message[0]
    assert question.reply_parameters.message_id == shown.message_id
    [[button]] = question.reply_markup.inline_keyboard
    assert (button.text, button.callback_data) == ("Cancel", LeaveButton().pack())


@pytest.mark.parametrize("command", ["/edit", "/merge", "/retouch", "/upscale"])
async def test_every_dialogue_is_left_by_its_button(harness: Harness, command: str) -> None:
    await harness.hears(command)
    question = await _question(harness)
    result = await harness.bot.dispatch(MockCallbackQuery(LeaveButton().pack(), user=ANNA, message=question))
    assert [type(method) for method in result.requests.all] == [AnswerCallbackQuery, DeleteMessage]
    await harness.hears("a fox")
    assert harness.ordered() == (Operation.CREATE, "a fox", ())


async def test_the_button_of_an_old_question_ends_no_other_dialogue(harness: Harness) -> None:
    await harness.hears("/edit")
    old = await _question(harness)
    await harness.hears("/retouch")
    await harness.gets(MockCallbackQuery(LeaveButton().pack(), user=ANNA, message=old))
    assert await harness.state() == Retouching.picture.state


async def test_the_next_question_takes_the_place_of_the_last(harness: Harness) -> None:
    await harness.hears("/edit")
    asked = await _question(harness)
    assert await harness.deletes(photo()) == [asked.message_id]


@pytest.mark.parametrize("state", [Editing.picture, Editing.instruction, Merging.pictures, Upscaling.picture])
@pytest.mark.parametrize("command", ["/start", "/help", "/settings", "/nonsense", "/history@this_bot"])
async def test_any_command_leaves_a_dialogue(harness: Harness, state: Any, command: str) -> None:
    await harness.bot.set_state(state)
    await harness.hears(command)
    assert await harness.state() is None


# -- words that come late ----------------------------------------------------------------------------------------


async def _asks(harness: Harness, words: Message) -> list[str]:
    """Let words come; return the buttons of the question about them."""
    result = await harness.bot.dispatch(words)
    question: Any = result.requests.send_message[0]
    assert question.reply_parameters.message_id == words.message_id
    return [button.text for row in question.reply_markup.inline_keyboard for button in row]


@pytest.mark.parametrize(
    ("meant", "ordered"),
    [
        (Meant.DIALOGUE, (Operation.EDIT, "make it winter", ("replied",))),
        (Meant.NEW, (Operation.CREATE, "make it winter", ())),
    ],
)
async def test_words_that_come_long_after_the_question_are_asked_about(
    harness: Harness, meant: Meant, ordered: tuple[Operation, str, tuple[str, ...]]
) -> None:
    await harness.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    assert await _asks(harness, words) == ["Edit the picture", "Draw it new"]
    assert harness.submitter.specs == []
    question = await _question(harness, words)
    assert await harness.deletes(_means(meant, question)) == [question.message_id]
    assert harness.ordered() == ordered
    assert harness.submitter.specs[0][1].message_id == words.message_id
    assert await harness.state() is None


async def test_words_that_come_long_after_the_last_photo_are_asked_about(harness: Harness) -> None:
    await harness.sees_album("one", "two")
    words = _words("together")
    assert await _asks(harness, words) == ["Merge the photos", "Draw it new"]
    await harness.gets(_means(Meant.DIALOGUE, await _question(harness, words)))
    assert harness.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_words_that_come_at_once_are_taken(harness: Harness) -> None:
    await harness.hears("/edit", reply_to_message=photo("replied"))
    await harness.gets(_words(after=timedelta(seconds=59)))
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("replied",))


@pytest.mark.parametrize("meant", list(Meant))
async def test_a_second_press_orders_nothing_more(harness: Harness, meant: Meant) -> None:
    await harness.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    await harness.gets(words)
    press = _means(meant, await _question(harness, words))
    for _ in range(2):
        result = await harness.bot.dispatch(press)
    assert len(harness.submitter.specs) == 1
    [answer] = [method for method in result.requests.all if isinstance(method, AnswerCallbackQuery)]
    assert "has had its day" in str(answer.text)


@pytest.mark.parametrize("meant", list(Meant))
@pytest.mark.parametrize("about", [None, photo(), _words(user=MockUser(user_id=666))])
async def test_a_forged_button_about_words_orders_nothing(
    harness: Harness, meant: Meant, about: Message | None
) -> None:
    await harness.hears("/edit", reply_to_message=photo("replied"))
    await harness.gets(_means(meant, await _question(harness, about)))
    assert harness.submitter.specs == []
    assert await harness.state() == Editing.instruction.state


async def test_a_refusal_leaves_the_question_where_it_is(harness: Harness) -> None:
    await harness.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    await harness.gets(words)
    harness.submitter.takes = False
    assert await harness.deletes(_means(Meant.NEW, await _question(harness, words))) == []
    assert await harness.state() == Editing.instruction.state
