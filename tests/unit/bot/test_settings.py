"""/settings, as a person meets them."""

from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, DeleteMyCommands, EditMessageText, SendMessage, SetMyCommands
from aiogram.types import InlineKeyboardMarkup
from teremok import MockBot, MockCallbackQuery, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.handlers.settings import SettingsButton
from app.bot.requests.allowance import Allowance, Allowances
from app.bot.settings import BotSettings
from app.bot.texts import Texts
from app.bot.users.commands import Menus
from app.bot.users.preferences import OPTIONS, Choice, Preferences
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN

ANNA = MockUser(language_code="en")


class Purse(Allowances):
    """What a person has had today."""

    def __init__(self) -> None:
        self.allowance: Allowance | None = None

    async def of(self, user_id: int) -> Allowance | None:
        return self.allowance


class Harness:
    """A bot that knows nobody yet."""

    def __init__(self) -> None:
        self.people, self.allowances = People(), Purse()
        self.bot = MockBot()
        menus = Menus(self.bot, Texts(), self.people, admins=())
        self.bot.dp = make_dispatcher(
            Texts(), self.people, menus=menus, settings=BotSettings(telegram_token=TOKEN), allowances=self.allowances
        )

    async def press(self, choice: str, option: str) -> list[Any]:
        result = await self.bot.dispatch(MockCallbackQuery(f"settings:{choice}:{option}", user=ANNA))
        return list(result.requests.all)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def _rows(markup: Any) -> list[list[str]]:
    assert isinstance(markup, InlineKeyboardMarkup)
    return [[button.text for button in row] for row in markup.inline_keyboard]


async def test_what_is_chosen_has_a_mark(harness: Harness) -> None:
    harness.people.chosen[ANNA.id] = {"size": "portrait"}
    result = await harness.bot.dispatch(MockMessageText("/settings", user=ANNA))
    [shown] = result.requests.all
    assert isinstance(shown, SendMessage)
    assert _rows(shown.reply_markup) == [
        ["✓ Language of Telegram", "English", "Русский"],
        ["Any size", "Square 1:1", "✓ Portrait 3:4"],
        ["Landscape 4:3", "Tall 9:16", "Wide 16:9"],
        ["✓ 1 picture", "2", "3", "4"],
    ]


@pytest.mark.parametrize(("left", "told"), [(18_600, "5 h 10 min"), (18_540.5, "5 h 10 min"), (59, "1 min")])
async def test_the_day_s_limit_is_shown_where_there_is_one(harness: Harness, left: float, told: str) -> None:
    harness.allowances.allowance = Allowance(5, 20, left)
    result = await harness.bot.dispatch(MockMessageText("/settings", user=ANNA))
    shown: Any = result.requests.send_message[0]
    assert shown.text.endswith(f"Today: 5 of 20 pictures. A new day begins in {told}.")
    edited = (await harness.press("pictures", "3"))[-1]
    assert "Today: 5 of 20 pictures." in edited.text


async def test_a_button_is_answered_first_kept_and_shown(harness: Harness) -> None:
    answered, edited = await harness.press("pictures", "3")
    assert isinstance(answered, AnswerCallbackQuery)
    assert isinstance(edited, EditMessageText)
    assert _rows(edited.reply_markup)[3] == ["1 picture", "2", "✓ 3", "4"]
    assert harness.people.chosen[ANNA.id] == {"pictures": "3"}


async def test_a_chosen_language_is_spoken_at_once_and_in_the_menu_too(harness: Harness) -> None:
    answer, *menus, edited = await harness.press("language", "ru")
    assert answer.text == "Сохранено"
    assert "Ваши настройки" in edited.text
    assert [type(menu) for menu in menus] == [SetMyCommands, SetMyCommands]
    assert {menu.scope.chat_id for menu in menus} == {ANNA.id}
    assert [menu.language_code for menu in menus] == [None, "ru"]
    assert {menu.commands[0].description for menu in menus} == {"Как это работает"}
    result = await harness.bot.dispatch(MockMessageText("/start", user=ANNA))
    [greeting] = result.requests.all
    assert isinstance(greeting, SendMessage)
    assert "Я превращаю слова в картинки" in greeting.text


async def test_telegram_s_language_again_brings_everybody_s_menu_back(harness: Harness) -> None:
    harness.people.chosen[ANNA.id] = {"language": "ru"}
    _, *menus, edited = await harness.press("language", "auto")
    assert "Your settings" in edited.text
    assert all(isinstance(menu, DeleteMyCommands) for menu in menus)


@pytest.mark.parametrize("option", ["17", "'; DROP TABLE", "", "٣"])
async def test_an_option_that_there_is_not_is_answered_and_not_kept(harness: Harness, option: str) -> None:
    [answered] = await harness.press("pictures", option)
    assert isinstance(answered, AnswerCallbackQuery)
    assert "out of date" in str(answered.text)
    assert harness.people.chosen == {}


async def test_a_press_that_is_too_old_to_be_answered_counts_all_the_same(harness: Harness) -> None:
    harness.bot.add_result(
        AnswerCallbackQuery, ok=False, description="Bad Request: query is too old and response timeout expired"
    )
    await harness.press("size", "square")
    assert harness.people.chosen[ANNA.id] == {"size": "square"}


def test_every_button_fits_into_telegram_s_64_bytes() -> None:
    for choice, options in OPTIONS.items():
        for option in options:
            assert len(SettingsButton(choice=choice, option=option).pack().encode()) <= 64


def test_the_languages_to_choose_from_are_those_that_the_bot_speaks() -> None:
    assert set(OPTIONS[Choice.LANGUAGE][1:]) == set(Texts().locales)


@pytest.mark.parametrize(
    ("stored", "parameters"),
    [
        ({}, {}),
        ({"pictures": "1", "size": "auto"}, {}),
        ({"pictures": "4"}, {"num_images": 4}),
        ({"size": "landscape"}, {"aspect_ratio": "4:3"}),
        ({"size": "hexagonal", "pictures": "99", "mood": "good"}, {}),
    ],
)
def test_choices_become_parameters_of_a_picture(stored: dict[str, str], parameters: dict[str, Any]) -> None:
    assert Preferences.from_hash(stored).parameters() == parameters
