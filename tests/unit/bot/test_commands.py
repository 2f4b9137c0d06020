"""The menus of commands."""

from typing import Any

import pytest
from aiogram import Router
from aiogram.filters import Command
from aiogram.methods import SetMyCommands
from aiogram.types import BotCommandScopeChat
from teremok import MockBot

from app.bot.dispatcher import make_dispatcher
from app.bot.texts import Texts
from app.bot.users.commands import ADMIN_COMMANDS, COMMANDS, Menus
from tests.unit.bot.people import People

ADMIN = 77


@pytest.fixture
def bot() -> MockBot:
    return MockBot()


async def _published(bot: MockBot, people: People) -> list[Any]:
    await Menus(bot, Texts(), people, admins=[ADMIN]).publish()
    return list(bot.requests.all)


def _names(method: SetMyCommands) -> tuple[str, ...]:
    return tuple(command.command for command in method.commands)


async def test_everybody_has_a_menu_in_english_or_russian(bot: MockBot) -> None:
    english, russian, *_ = await _published(bot, People())
    assert (english.language_code, russian.language_code) == (None, "ru")
    assert _names(english) == _names(russian) == COMMANDS
    assert english.commands[0].description != russian.commands[0].description
    assert english.scope is russian.scope is None


async def test_only_admins_see_the_admins_commands(bot: MockBot) -> None:
    *_, english, russian = await _published(bot, People())
    assert english.scope == russian.scope == BotCommandScopeChat(chat_id=ADMIN)
    assert _names(english) == _names(russian) == COMMANDS + ADMIN_COMMANDS


async def test_an_admin_s_own_language_is_kept(bot: MockBot) -> None:
    *_, english, russian = await _published(bot, People(chosen={ADMIN: {"language": "ru"}}))
    assert english.commands == russian.commands


async def test_an_admin_who_has_never_met_the_bot_keeps_nobody_from_working(
    bot: MockBot, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        bot.add_result(SetMyCommands, True)
    bot.add_result(SetMyCommands, ok=False, description="Bad Request: chat not found")
    await _published(bot, People())
    assert "has not started the bot yet" in caplog.text


def _commands(router: Router) -> set[str]:
    """The commands that a router's handlers, and those of the routers in it, listen to."""
    filters = [each.callback for handler in router.message.handlers for each in handler.filters or []]
    own = {str(name) for each in filters if isinstance(each, Command) for name in each.commands}
    return own.union(*(_commands(each) for each in router.sub_routers))


def test_every_command_of_a_menu_is_known_and_every_known_command_is_in_a_menu() -> None:
    assert _commands(make_dispatcher(Texts(), People())) == {*COMMANDS, *ADMIN_COMMANDS}
