"""The first contact, as a newcomer meets it."""

from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, EditMessageText, SendMessage
from teremok import MockBot, MockCallbackQuery, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.requests.dialogues import Editing
from app.bot.settings import BotSettings
from app.bot.texts import Texts
from app.bot.users.commands import Menus
from app.core.operations import Operation
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN, RequestSubmitter

ANNA, BORIS = MockUser(7, language_code="en"), MockUser(8, language_code="ru")


class Harness:
    """A bot that knows nobody yet."""

    def __init__(self) -> None:
        self.people, self.submitter = People(), RequestSubmitter()
        self.bot = MockBot()
        menus = Menus(self.bot, Texts(), self.people, admins=())
        self.bot.dp = make_dispatcher(
            Texts(), self.people, menus=menus, submitter=self.submitter, settings=BotSettings(telegram_token=TOKEN)
        )

    async def hears(self, text: str, user: Any = ANNA, **more: Any) -> list[Any]:
        return list((await self.bot.dispatch(MockMessageText(text, user=user, **more))).requests.all)

    async def press(self, data: str, user: Any = ANNA) -> list[Any]:
        return list((await self.bot.dispatch(MockCallbackQuery(data, user=user))).requests.all)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def _rows(message: Any) -> list[list[str]]:
    return [[button.text for button in row] for row in message.reply_markup.inline_keyboard]


async def test_a_newcomer_has_examples_a_photo_and_the_other_language(harness: Harness) -> None:
    [greeting] = await harness.hears("/start")
    assert len(_rows(greeting)) == 5
    assert _rows(greeting)[-2:] == [["🖼 Change a photo"], ["Русский"]]
    [greeting] = await harness.hears("/start", BORIS)
    assert _rows(greeting)[-2:] == [["🖼 Изменить фото"], ["English"]]


@pytest.mark.parametrize(
    ("user", "prompt"), [(ANNA, "A cat astronaut on the moon"), (BORIS, "Кот-космонавт на Луне")]
)
async def test_an_example_is_drawn_with_one_press(harness: Harness, user: Any, prompt: str) -> None:
    [answer] = await harness.press("s:cat", user)
    assert isinstance(answer, AnswerCallbackQuery)
    [(spec, target, _)] = harness.submitter.taken
    assert (spec.operation, spec.prompt, target.user_id) == (Operation.CREATE, prompt, user.id)


async def test_change_a_photo_asks_for_the_photo(harness: Harness) -> None:
    _, question = await harness.press("s:photo")
    assert isinstance(question, SendMessage)
    assert await harness.bot.get_state(ANNA.id) == Editing.picture.state


async def test_another_language_greets_at_once(harness: Harness) -> None:
    answer, *_, greeting = await harness.press("sl:ru")
    assert answer.text == "Сохранено"
    assert isinstance(greeting, EditMessageText)
    assert "Я превращаю слова в картинки" in str(greeting.text)
    assert harness.people.chosen[ANNA.id] == {"language": "ru"}


@pytest.mark.parametrize(
    "text", ["hello", "Hi!", "hey :)", "Привет!", "ЗДРАВСТВУЙТЕ", "Добрый день 👋", "what can you do?"]
)
async def test_hello_gets_help_and_not_a_bill(harness: Harness, text: str) -> None:
    [greeting] = await harness.hears(text)
    assert "I turn words into pictures" in greeting.text
    assert harness.submitter.taken == []


async def test_imagine_draws_what_follows_it(harness: Harness) -> None:
    assert await harness.hears("/imagine a red fox") == []
    assert [spec.prompt for spec, *_ in harness.submitter.taken] == ["a red fox"]


async def test_imagine_alone_says_how(harness: Harness) -> None:
    [said] = await harness.hears("/imagine")
    assert "/imagine a red fox" in said.text
    assert harness.submitter.taken == []


@pytest.mark.parametrize("text", ["hello kitty", "a fox says hello", "приветливая лиса", "🦊"])
async def test_what_merely_begins_so_is_drawn(harness: Harness, text: str) -> None:
    assert await harness.hears(text) == []
    assert [spec.prompt for spec, *_ in harness.submitter.taken] == [text]


@pytest.mark.parametrize("data", ["s:", "s:burn", "s", "sl:auto", "sl:klingon", "sl:", "s:fox:1"])
async def test_a_forged_button_does_nothing_and_says_so(harness: Harness, data: str) -> None:
    [answer] = await harness.press(data)
    assert "has had its day" in answer.text
    assert harness.submitter.taken == []
    assert harness.people.chosen == {}
