"""The menus of commands: everybody's, and the admins'."""

import logging
from collections.abc import Iterable
from typing import Final

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import DeleteMyCommands, SetMyCommands
from aiogram.types import BotCommand, BotCommandScopeChat

from app.bot.telegram import is_gone
from app.bot.texts import DEFAULT_LOCALE, Texts
from app.bot.users.preferences import AUTO
from app.bot.users.users import Users

COMMANDS: Final = (
    "help", "imagine", "edit", "merge", "retouch", "upscale", "batch",
    "history", "status", "cancel", "settings", "start",
)  # fmt: skip
"""The commands of everybody's menu; each has a text ``command-<name>``."""
ADMIN_COMMANDS: Final = ("stats", "vip", "ban", "unban", "broadcast")
"""The commands that come on top for admins. (A menu is no authorisation: their handlers check who is asking.)"""

logger = logging.getLogger(__name__)


class Menus:
    """Puts menus into people's chats."""

    def __init__(self, bot: Bot, texts: Texts, users: Users, admins: Iterable[int]) -> None:
        self._bot = bot
        self._texts = texts
        self._users = users
        self._admins = frozenset(admins)

    async def publish(self) -> None:
        """Give everybody a menu in the language of their Telegram, and the admins theirs."""
        for locale in self._texts.locales:
            await self._bot(SetMyCommands(commands=self._menu(locale, COMMANDS), language_code=_code(locale)))
        for admin in sorted(self._admins):
            try:
                await self.tailor(admin)
            except TelegramAPIError as error:
                if not is_gone(error):
                    raise
                logger.warning("admin %d has not started the bot yet: %s", admin, error.message)

    async def tailor(self, user_id: int) -> None:
        """Give one person a menu in the language that they chose, or that of their Telegram again."""
        scope = BotCommandScopeChat(chat_id=user_id)
        admin = user_id in self._admins
        language = (await self._users.get(user_id)).preferences.language
        for locale in self._texts.locales:
            if language == AUTO and not admin:
                await self._bot(DeleteMyCommands(scope=scope, language_code=_code(locale)))
            else:
                menu = self._menu(
                    locale if language == AUTO else language, (*COMMANDS, *ADMIN_COMMANDS) if admin else COMMANDS
                )
                await self._bot(SetMyCommands(commands=menu, scope=scope, language_code=_code(locale)))

    def _menu(self, locale: str, names: Iterable[str]) -> list[BotCommand]:
        return [
            BotCommand(command=name, description=self._texts.translate(locale, f"command-{name}")) for name in names
        ]


def _code(locale: str) -> str | None:
    """Telegram shows the menu without a language to those for whose language there is none."""
    return None if locale == DEFAULT_LOCALE else locale
