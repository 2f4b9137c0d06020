"""/batch: many pictures from a list of prompts, at low priority."""

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import Document, Message, Update

from app.bot.delivery.batch_summary import BatchSummaries
from app.bot.filters import brings_document, brings_words
from app.bot.refusals import RefusedError
from app.bot.requests.downloads import TooLargeError, UnavailableError, download
from app.bot.requests.photos import Photos
from app.bot.requests.prompt_lists import FILE_MAX, LIST_MAX, decode, read_list
from app.bot.requests.questions import ask, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.texts import Translator
from app.bot.users.preferences import Preferences
from app.core.operations import Operation


class Listing(StatesGroup):
    """``/batch``: the list."""

    prompts = State()


async def handle_batch(
    message: Message,
    command: CommandObject,
    event_update: Update,
    bot: Bot,
    translate: Translator,
    submitter: RequestSubmitter,
    summaries: BatchSummaries,
    preferences: Preferences,
    photos: Photos,
    state: FSMContext,
) -> None:
    """Take the list that follows the command, comes with it as a file, or is answered with it; else ask for one."""
    source = message if message.document or command.args else message.reply_to_message
    text = await _text_of(bot, photos, source, command.args if source is message else None) if source else None
    if text is None:
        await enter(state, Listing.prompts, message.date)
        await ask(bot, state, translate, translate("batch-usage", limit=LIST_MAX))
        return
    if await _take(text, message, event_update, translate, submitter, summaries, preferences):
        await leave(bot, state)


async def handle_list(
    message: Message,
    event_update: Update,
    bot: Bot,
    translate: Translator,
    submitter: RequestSubmitter,
    summaries: BatchSummaries,
    preferences: Preferences,
    photos: Photos,
    state: FSMContext,
) -> None:
    """Take the list that was asked for."""
    text = await _text_of(bot, photos, message)
    if await _take(text or "", message, event_update, translate, submitter, summaries, preferences):
        await leave(bot, state)


async def handle_text_file(message: Message, translate: Translator) -> None:
    """A text file that nobody asked for may be a list: say how to have it drawn."""
    await message.answer(translate("batch-file"))


async def _text_of(bot: Bot, photos: Photos, message: Message, text: str | None = None) -> str | None:
    """Return the list in a message: of its file, which counts as a picture does, or else ``text``, or its own.

    Raises:
        RefusedError: the file is too large, can't be had or is no text, or there were too many.
    """
    if message.document is None:
        return text or message.text
    if not _is_text_file(message.document):
        raise RefusedError("batch-no-text")
    await photos.count(message.chat.id)
    try:
        return decode(await download(bot, message.document.file_id, message.document.file_size, FILE_MAX))
    except TooLargeError:
        raise RefusedError("batch-too-large", kilobytes=FILE_MAX // 1024) from None
    except UnavailableError:
        raise RefusedError("batch-unavailable") from None


async def _take(
    text: str,
    message: Message,
    update: Update,
    translate: Translator,
    submitter: RequestSubmitter,
    summaries: BatchSummaries,
    preferences: Preferences,
) -> bool:
    """Take a list, or say why not; return whether it was taken, at least in part."""
    prompts = read_list(text)
    wishes = [" ".join(prompt.split()) for prompt in prompts]
    parameters = preferences.parameters()
    # Who writes the same line twice wants two pictures, not one picture twice.
    specs = [
        RequestSpec(Operation.CREATE, prompt, parameters=parameters, fresh=wishes[position] in wishes[:position])
        for position, prompt in enumerate(prompts)
    ]
    target = ReplyTarget.of(update, message)
    taken = await submitter.submit_batch(specs, target, translate)
    if taken:
        await message.answer(translate("batch-taken", count=taken))
    if taken < len(specs):  # those taken may have ended before it was known that there are no more
        await summaries.sum_up(target.request_id)
    return taken > 0


def _is_text_file(document: Document | None) -> bool:
    return document is not None and (
        (document.mime_type or "").startswith("text/") or (document.file_name or "").lower().endswith(".txt")
    )


async def _brings_text_file(message: Message) -> bool:
    return _is_text_file(message.document)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="batch")
    router.message.register(handle_batch, Command("batch"))
    router.message.register(handle_list, Listing.prompts, brings_words)
    router.message.register(handle_list, Listing.prompts, brings_document)
    router.message.register(handle_text_file, _brings_text_file)
    return router
