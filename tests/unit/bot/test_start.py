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


class Stage:
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
def stage() -> Stage:
    return Stage()


def _rows(message: Any) -> list[list[str]]:
    return [[button.text for button in row] for row in message.reply_markup.inline_keyboard]


async def test_a_newcomer_has_examples_a_photo_and_the_other_language(stage: Stage) -> None:
    [greeting] = await stage.hears("/start")
    assert len(_rows(greeting)) == 5
    assert _rows(greeting)[-2:] == [["🖼 Change a photo"], ["Русский"]]
    [greeting] = await stage.hears("/start", BORIS)
    assert _rows(greeting)[-2:] == [["🖼 Изменить фото"], ["English"]]


@pytest.mark.parametrize(
    ("user", "prompt"), [(ANNA, "A cat astronaut on the moon"), (BORIS, "Кот-космонавт на Луне")]
)
async def test_an_example_is_drawn_with_one_press(stage: Stage, user: Any, prompt: str) -> None:
    [answer] = await stage.press("s:cat", user)
    assert isinstance(answer, AnswerCallbackQuery)
    [(spec, target, _)] = stage.submitter.taken
    assert (spec.operation, spec.prompt, target.user_id) == (Operation.CREATE, prompt, user.id)


async def test_change_a_photo_asks_for_the_photo(stage: Stage) -> None:
    _, question = await stage.press("s:photo")
    assert isinstance(question, SendMessage)
    assert await stage.bot.get_state(ANNA.id) == Editing.picture.state


async def test_another_language_greets_at_once(stage: Stage) -> None:
    answer, *_, greeting = await stage.press("sl:ru")
    assert answer.text == "Сохранено"
    assert isinstance(greeting, EditMessageText)
    assert "Я превращаю слова в картинки" in str(greeting.text)
    assert stage.people.chosen[ANNA.id] == {"language": "ru"}


@pytest.mark.parametrize(
    "text", ["hello", "Hi!", "hey :)", "Привет!", "ЗДРАВСТВУЙТЕ", "Добрый день 👋", "what can you do?"]
)
async def test_hello_gets_help_and_not_a_bill(stage: Stage, text: str) -> None:
    [greeting] = await stage.hears(text)
    assert "I turn words into pictures" in greeting.text
    assert stage.submitter.taken == []


async def test_imagine_draws_what_follows_it(stage: Stage) -> None:
    assert await stage.hears("/imagine a red fox") == []
    assert [spec.prompt for spec, *_ in stage.submitter.taken] == ["a red fox"]


async def test_imagine_alone_says_how(stage: Stage) -> None:
    [said] = await stage.hears("/imagine")
    assert "/imagine a red fox" in said.text
    assert stage.submitter.taken == []


@pytest.mark.parametrize("text", ["hello kitty", "a fox says hello", "приветливая лиса", "🦊"])
async def test_what_merely_begins_so_is_drawn(stage: Stage, text: str) -> None:
    assert await stage.hears(text) == []
    assert [spec.prompt for spec, *_ in stage.submitter.taken] == [text]


@pytest.mark.parametrize("data", ["s:", "s:burn", "s", "sl:auto", "sl:klingon", "sl:", "s:fox:1"])
async def test_a_forged_button_does_nothing_and_says_so(stage: Stage, data: str) -> None:
    [answer] = await stage.press(data)
    assert "has had its day" in answer.text
    assert stage.submitter.taken == []
    assert stage.people.chosen == {}
