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
from tests.unit.bot.photo_stage import ANNA, Stage, photo

LATER = timedelta(seconds=61)


def _words(text: str = "make it winter", after: timedelta = LATER, user: Any = ANNA) -> Message:
    message = MockMessageText(text, user=user)
    return message.model_copy(update={"date": message.date + after})


async def _question(stage: Stage, about: Message | None = None) -> Message:
    """The question that is open, as Telegram sends it along with a press."""
    asked = (await stage.bot.get_data())["question"]
    message = MockMessageText("question", user=ANNA, reply_to_message=about)
    return message.model_copy(update={"message_id": asked})


def _means(meant: Meant, question: Message, user: Any = ANNA) -> Any:
    return MockCallbackQuery(WordsButton(meant=meant).pack(), user=user, message=question)


# -- questions ---------------------------------------------------------------------------------------------------


async def test_a_question_replies_to_its_picture_and_can_be_left(stage: Stage) -> None:
    shown = photo("replied")
    result = await stage.bot.dispatch(MockMessageText("/edit", user=ANNA, reply_to_message=shown))
    question: Any = result.requests.send_message[0]
    assert question.reply_parameters.message_id == shown.message_id
    [[button]] = question.reply_markup.inline_keyboard
    assert (button.text, button.callback_data) == ("Cancel", LeaveButton().pack())


@pytest.mark.parametrize("command", ["/edit", "/merge", "/retouch", "/upscale"])
async def test_every_dialogue_is_left_by_its_button(stage: Stage, command: str) -> None:
    await stage.hears(command)
    question = await _question(stage)
    result = await stage.bot.dispatch(MockCallbackQuery(LeaveButton().pack(), user=ANNA, message=question))
    assert [type(method) for method in result.requests.all] == [AnswerCallbackQuery, DeleteMessage]
    await stage.hears("a fox")
    assert stage.ordered() == (Operation.CREATE, "a fox", ())


async def test_the_button_of_an_old_question_ends_no_other_dialogue(stage: Stage) -> None:
    await stage.hears("/edit")
    old = await _question(stage)
    await stage.hears("/retouch")
    await stage.gets(MockCallbackQuery(LeaveButton().pack(), user=ANNA, message=old))
    assert await stage.state() == Retouching.picture.state


async def test_the_next_question_takes_the_place_of_the_last(stage: Stage) -> None:
    await stage.hears("/edit")
    asked = await _question(stage)
    assert await stage.deletes(photo()) == [asked.message_id]


@pytest.mark.parametrize("state", [Editing.picture, Editing.instruction, Merging.pictures, Upscaling.picture])
@pytest.mark.parametrize("command", ["/start", "/help", "/settings", "/nonsense", "/history@this_bot"])
async def test_any_command_leaves_a_dialogue(stage: Stage, state: Any, command: str) -> None:
    await stage.bot.set_state(state)
    await stage.hears(command)
    assert await stage.state() is None


# -- words that come late ----------------------------------------------------------------------------------------


async def _asks(stage: Stage, words: Message) -> list[str]:
    """Let words come; return the buttons of the question about them."""
    result = await stage.bot.dispatch(words)
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
    stage: Stage, meant: Meant, ordered: tuple[Operation, str, tuple[str, ...]]
) -> None:
    await stage.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    assert await _asks(stage, words) == ["Edit the picture", "Draw it new"]
    assert stage.submitter.specs == []
    question = await _question(stage, words)
    assert await stage.deletes(_means(meant, question)) == [question.message_id]
    assert stage.ordered() == ordered
    assert stage.submitter.specs[0][1].message_id == words.message_id
    assert await stage.state() is None


async def test_words_that_come_long_after_the_last_photo_are_asked_about(stage: Stage) -> None:
    await stage.sees_album("one", "two")
    words = _words("together")
    assert await _asks(stage, words) == ["Merge the photos", "Draw it new"]
    await stage.gets(_means(Meant.DIALOGUE, await _question(stage, words)))
    assert stage.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_words_that_come_at_once_are_taken(stage: Stage) -> None:
    await stage.hears("/edit", reply_to_message=photo("replied"))
    await stage.gets(_words(after=timedelta(seconds=59)))
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("replied",))


@pytest.mark.parametrize("meant", list(Meant))
async def test_a_second_press_orders_nothing_more(stage: Stage, meant: Meant) -> None:
    await stage.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    await stage.gets(words)
    press = _means(meant, await _question(stage, words))
    for _ in range(2):
        result = await stage.bot.dispatch(press)
    assert len(stage.submitter.specs) == 1
    [answer] = [method for method in result.requests.all if isinstance(method, AnswerCallbackQuery)]
    assert "has had its day" in str(answer.text)


@pytest.mark.parametrize("meant", list(Meant))
@pytest.mark.parametrize("about", [None, photo(), _words(user=MockUser(user_id=666))])
async def test_a_forged_button_about_words_orders_nothing(stage: Stage, meant: Meant, about: Message | None) -> None:
    await stage.hears("/edit", reply_to_message=photo("replied"))
    await stage.gets(_means(meant, await _question(stage, about)))
    assert stage.submitter.specs == []
    assert await stage.state() == Editing.instruction.state


async def test_a_refusal_leaves_the_question_where_it_is(stage: Stage) -> None:
    await stage.hears("/edit", reply_to_message=photo("replied"))
    words = _words()
    await stage.gets(words)
    stage.submitter.takes = False
    assert await stage.deletes(_means(Meant.NEW, await _question(stage, words))) == []
    assert await stage.state() == Editing.instruction.state
