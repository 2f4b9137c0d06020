"""Text -> picture."""

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_words, is_command
from app.bot.requests.prompts import clean_prompt
from app.bot.requests.questions import Meant, WordsButton, asks_about_words, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.bot.users.preferences import Preferences
from app.core.operations import Operation


async def handle_create(
    message: Message,
    event_update: Update,
    translate: Translator,
    submitter: RequestSubmitter,
    preferences: Preferences,
) -> None:
    """Submit a request for a picture of what the message describes, or say kindly why not."""
    spec = RequestSpec(Operation.CREATE, clean_prompt(message.text or ""), parameters=preferences.parameters())
    await submitter.submit(spec, ReplyTarget.of(event_update, message), translate)


async def handle_imagine(
    message: Message,
    command: CommandObject,
    event_update: Update,
    translate: Translator,
    submitter: RequestSubmitter,
    preferences: Preferences,
) -> None:
    """``/imagine``, as other bots have it: what follows it is drawn."""
    if not command.args:
        await message.answer(translate("imagine-usage"))
        return
    spec = RequestSpec(Operation.CREATE, clean_prompt(command.args), parameters=preferences.parameters())
    await submitter.submit(spec, ReplyTarget.of(event_update, message), translate)


async def handle_words_for_new(
    callback: CallbackQuery,
    words: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    preferences: Preferences,
) -> None:
    """Words that came in a dialogue are meant for a picture of their own."""
    await quietly(bot, callback.answer())
    spec = RequestSpec(Operation.CREATE, clean_prompt(words.text or ""), parameters=preferences.parameters())
    if await submitter.submit(spec, ReplyTarget.of(event_update, words, callback.from_user.id), translate):
        await leave(bot, state)


async def handle_unknown_command(message: Message, translate: Translator) -> None:
    """A command is no prompt: say so instead of drawing it."""
    await message.answer(translate("unknown-command"))


async def handle_anything_else(message: Message, translate: Translator) -> None:
    """Stickers, voices, places: say what is understood."""
    await message.answer(translate("only-text"))


def make_router() -> Router:
    """Return this module's handlers; they take what no router before them wanted."""
    router = Router(name="create")
    router.message.register(handle_imagine, Command("imagine"))
    router.message.register(handle_unknown_command, is_command)
    router.message.register(handle_create, brings_words)
    router.message.register(handle_anything_else)
    router.callback_query.register(handle_words_for_new, WordsButton.filter(F.meant == Meant.NEW), asks_about_words)
    return router
