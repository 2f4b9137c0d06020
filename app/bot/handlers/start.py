"""Getting to know each other."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from aiogram import Bot, Router
from aiogram.filters import Command, CommandStart, StateFilter
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, Update

from app.bot.filters import brings_words
from app.bot.handlers.results import handle_stale_button
from app.bot.requests.dialogues import Editing
from app.bot.requests.questions import ask, enter
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.settings import BotSettings
from app.bot.telegram import quietly
from app.bot.texts import Texts, Translator
from app.bot.users.commands import Menus
from app.bot.users.preferences import AUTO, OPTIONS, Choice, Preferences
from app.bot.users.users import Users
from app.core.operations import Operation

GREETINGS: Final = frozenset({
    "hello", "hello there", "hello bot", "hi", "hi there", "hi bot", "hey",
    "good morning", "good day", "good evening",
    "how are you", "who are you", "what can you do", "help", "start",
    "привет", "привет бот", "приветик", "здравствуй", "здравствуйте", "доброе утро", "добрый день", "добрый вечер",
    "хай", "как дела", "кто ты", "что ты умеешь", "что умеешь", "помощь", "старт",
})  # fmt: skip
"""What people say first, and want no picture of; only letters count."""


class Opening(StrEnum):
    """What a newcomer can begin with: an example, whose text ``start-<name>`` is the prompt, or a photo."""

    FOX = "fox"
    LIGHTHOUSE = "lighthouse"
    CAT = "cat"
    PHOTO = "photo"


class StartButton(CallbackData, prefix="s"):
    """Begin with something."""

    opening: Opening


class GreetingLanguageButton(CallbackData, prefix="sl"):
    """Speak another language from the greeting on."""

    locale: str


async def is_greeting(message: Message) -> bool:
    """Whether somebody says hello, or asks what this is."""
    letters = "".join(char if char.isalpha() else " " for char in (message.text or "").casefold())
    return message.reply_to_message is None and " ".join(letters.split()) in GREETINGS


async def handle_start(message: Message, translate: Translator) -> None:
    """Say hello and what the bot is for."""
    await message.answer(translate("start"), reply_markup=_keyboard(translate))


async def handle_help(message: Message, translate: Translator, settings: BotSettings) -> None:
    """Say how it works and what the limits are."""
    requests, window = settings.rate_limit_max_requests, settings.rate_limit_window
    await message.answer(translate("help", requests=requests, window=window))


async def handle_opening(
    query: CallbackQuery,
    callback_data: StartButton,
    event_update: Update,
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    preferences: Preferences,
) -> None:
    """Draw an example, or ask for the photo that is to be changed."""
    if query.message is None:
        await handle_stale_button(query, bot, translate)
        return
    await quietly(bot, query.answer())
    if callback_data.opening is Opening.PHOTO:
        await enter(state, Editing.picture, datetime.now(UTC))
        await ask(bot, state, translate, translate("edit-photo"))
        return
    spec = RequestSpec(
        Operation.CREATE, translate(f"start-{callback_data.opening}"), parameters=preferences.parameters()
    )
    target = ReplyTarget(
        f"u{event_update.update_id}", query.from_user.id, query.message.chat.id, query.message.message_id
    )
    await submitter.submit(spec, target, translate)


async def handle_greeting_language(
    query: CallbackQuery,
    callback_data: GreetingLanguageButton,
    bot: Bot,
    translate: Translator,
    texts: Texts,
    users: Users,
    menus: Menus,
) -> None:
    """Speak the language that was chosen, and say hello in it."""
    locale = callback_data.locale
    if query.message is None or locale == AUTO or locale not in OPTIONS[Choice.LANGUAGE]:
        await handle_stale_button(query, bot, translate)
        return
    await users.choose(query.from_user.id, Choice.LANGUAGE, locale)
    translate = Translator(texts, locale)
    await quietly(bot, query.answer(translate("settings-saved")))
    await menus.tailor(query.from_user.id)
    method = EditMessageText(
        chat_id=query.message.chat.id,
        message_id=query.message.message_id,
        text=translate("start"),
        reply_markup=_keyboard(translate),
    )
    await quietly(bot, method)


def _keyboard(translate: Translator) -> InlineKeyboardMarkup:
    """A row for each opening, and one of the other languages."""
    rows = [
        [InlineKeyboardButton(text=translate(f"start-{each}"), callback_data=StartButton(opening=each).pack())]
        for each in Opening
    ]
    languages = [
        InlineKeyboardButton(
            text=translate("settings-language", option=locale),
            callback_data=GreetingLanguageButton(locale=locale).pack(),
        )
        for locale in OPTIONS[Choice.LANGUAGE]
        if locale not in (AUTO, translate.locale)
    ]
    return InlineKeyboardMarkup(inline_keyboard=[*rows, languages])


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="start")
    router.message.register(handle_start, CommandStart())
    router.message.register(handle_start, StateFilter(None), brings_words, is_greeting)
    router.message.register(handle_help, Command("help"))
    router.callback_query.register(handle_opening, StartButton.filter())
    router.callback_query.register(handle_greeting_language, GreetingLanguageButton.filter())
    return router
