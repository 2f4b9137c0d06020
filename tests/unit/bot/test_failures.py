"""The buttons under bad news, as a person presses them."""

from dataclasses import replace
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, EditMessageReplyMarkup, SendMessage
from teremok import MockBot, MockCallbackQuery, MockMessagePhoto, MockMessageText, MockUpdate, MockUser

from app.bot.delivery.keyboards import failure_keyboard
from app.bot.dispatcher import make_dispatcher
from app.bot.requests.dialogues import Retouching
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import RequestRecord, RequestState
from tests.unit.bot.people import People
from tests.unit.bot.photo_harness import TakenIn
from tests.unit.bot.records import Records, record
from tests.unit.bot.test_handlers import TOKEN, RequestSubmitter

ANNA, BORIS = MockUser(7, language_code="en"), MockUser(8, language_code="ru")
EN = Translator(Texts(), "en")


def failed(reason: FailureReason = FailureReason.TIMED_OUT, **request: Any) -> RequestRecord:
    fields = {"operation": Operation.EDIT, "prompt": "make it winter", "inputs": ("photo.jpg",), **request}
    return replace(record("u1", ANNA.id, RequestState.FAILED, **fields), reason=reason)


class Harness:
    """A bot that could not draw something for Anna."""

    def __init__(self, news: RequestRecord) -> None:
        self.submitter, self.records = RequestSubmitter(), Records()
        self.bot = MockBot()
        self.bot.dp = make_dispatcher(
            Texts(), People(), settings=BotSettings(telegram_token=TOKEN), submitter=self.submitter,
            requests=self.records,
            photos=TakenIn(),
        )  # fmt: skip
        self.records.keep(news)

    async def press(self, remedy: str, user: Any = ANNA, request_id: str = "u1") -> list[Any]:
        update = MockUpdate(callback_query=MockCallbackQuery(f"f:{remedy}:{request_id}", user=user))
        return list((await self.bot.dispatch(update)).requests.all)

    async def hears(self, text: str) -> list[Any]:
        return list((await self.bot.dispatch(MockMessageText(text, user=ANNA))).requests.all)

    def ordered(self) -> tuple[Operation, str, tuple[str, ...]]:
        [(spec, *_)] = self.submitter.taken
        return spec.operation, spec.prompt, spec.inputs


def _texts(news: RequestRecord) -> list[str]:
    keyboard = failure_keyboard(news, EN)
    return [button.text for row in keyboard.inline_keyboard for button in row] if keyboard else []


@pytest.mark.parametrize("reason", list(FailureReason))
def test_whatever_failed_can_be_tried_again_or_put_in_other_words(reason: FailureReason) -> None:
    assert _texts(failed(reason)) == ["Try again", "Change the words"]


def test_what_needs_no_words_can_be_tried_again_or_have_another_photo() -> None:
    assert _texts(failed(operation=Operation.UPSCALE, prompt="")) == ["Try again"]
    assert _texts(failed(FailureReason.NO_FACE, operation=Operation.RETOUCH, prompt="")) == ["Another photo"]


def test_what_can_not_be_read_any_more_has_no_buttons() -> None:
    assert _texts(replace(failed(), readable=False)) == []


async def test_a_second_try_is_for_the_same_photo_and_words() -> None:
    harness = Harness(failed())
    kinds = [type(method) for method in await harness.press("again")]
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo.jpg",))
    assert kinds == [AnswerCallbackQuery, EditMessageReplyMarkup]  # it can't be pressed twice


async def test_other_words_are_for_the_same_photo() -> None:
    harness = Harness(failed())
    _, question = await harness.press("words")
    assert isinstance(question, SendMessage)
    await harness.hears("make it autumn")
    assert harness.ordered() == (Operation.EDIT, "make it autumn", ("photo.jpg",))
    assert await harness.bot.get_state(ANNA.id) is None


async def test_other_words_of_what_is_forgotten_meanwhile_are_regretted() -> None:
    harness = Harness(failed())
    await harness.press("words")
    harness.records.kept.clear()
    *_, sorry = await harness.hears("make it autumn")
    assert sorry.text == "I no longer have that request. Please send it again."
    assert harness.submitter.taken == []
    assert await harness.bot.get_state(ANNA.id) is None


async def test_another_portrait_is_retouched() -> None:
    harness = Harness(failed(FailureReason.NO_FACE, operation=Operation.RETOUCH, prompt=""))
    await harness.press("photo")
    assert await harness.bot.get_state(ANNA.id) == Retouching.picture.state
    await harness.bot.dispatch(MockMessagePhoto("closer", user=ANNA))
    assert harness.ordered() == (Operation.RETOUCH, "", ("closer",))


@pytest.mark.parametrize(
    "news", [failed(), replace(failed(), state=RequestState.QUEUED), replace(failed(), readable=False)]
)
@pytest.mark.parametrize(("remedy", "user", "request_id"), [
    ("again", BORIS, "u1"), ("words", BORIS, "u1"), ("photo", ANNA, "u1"), ("again", ANNA, "u404"),
    ("burn", ANNA, "u1"),
])  # fmt: skip
async def test_a_stale_foreign_or_forged_button_does_nothing_and_says_so(
    news: RequestRecord, remedy: str, user: Any, request_id: str
) -> None:
    harness = Harness(news)
    [answer] = await harness.press(remedy, user, request_id)
    assert isinstance(answer, AnswerCallbackQuery)
    assert answer.text
    assert harness.submitter.taken == []
    assert await harness.bot.get_state(user.id) is None
