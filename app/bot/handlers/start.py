"""Getting to know each other."""

from aiogram import Bot, Router
from aiogram.filters import Command, CommandStart
from aiogram.types import BotCommand, Message

from app.bot.settings import BotSettings
from app.bot.texts import DEFAULT_LOCALE, Texts, Voice

COMMANDS = ("start", "help")
"""The commands of the menu; each has a text ``command-<name>``."""


async def handle_start(message: Message, voice: Voice) -> None:
    """Say hello and what the bot is for."""
    await message.answer(voice("start"))


async def handle_help(message: Message, voice: Voice, settings: BotSettings) -> None:
    """Say how it works and what the limits are."""
    requests, window = settings.rate_limit_max_requests, settings.rate_limit_window
    await message.answer(voice("help", requests=requests, window=window))


async def publish_commands(bot: Bot, texts: Texts) -> None:
    """Put the commands into everybody's menu, in each language."""
    for locale in texts.locales:
        await bot.set_my_commands(
            [BotCommand(command=name, description=texts.say(locale, f"command-{name}")) for name in COMMANDS],
            language_code=None if locale == DEFAULT_LOCALE else locale,
        )


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="start")
    router.message.register(handle_start, CommandStart())
    router.message.register(handle_help, Command("help"))
    return router
