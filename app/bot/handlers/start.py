"""Getting to know each other."""

from aiogram import Router
from aiogram.filters import Command, CommandStart
from aiogram.types import Message

from app.bot.settings import BotSettings
from app.bot.texts import Voice


async def handle_start(message: Message, voice: Voice) -> None:
    """Say hello and what the bot is for."""
    await message.answer(voice("start"))


async def handle_help(message: Message, voice: Voice, settings: BotSettings) -> None:
    """Say how it works and what the limits are."""
    requests, window = settings.rate_limit_max_requests, settings.rate_limit_window
    await message.answer(voice("help", requests=requests, window=window))


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="start")
    router.message.register(handle_start, CommandStart())
    router.message.register(handle_help, Command("help"))
    return router
