"""Picture + instruction -> picture."""

from datetime import UTC, datetime

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_captioned_picture, brings_picture, brings_words, replies_to_picture
from app.bot.refusals import RefusedError
from app.bot.requests.dialogues import PHOTO_TTL, Editing, Showing
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, pressed_photo, put_away
from app.bot.requests.photos import Photos, PictureFile, picture_in
from app.bot.requests.prompts import clean_prompt
from app.bot.requests.questions import Meant, WordsButton, ask, asked_about_words, asks_about_words, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.operations import Operation


async def start_edit(
    picture: str, about: int, at: datetime, bot: Bot, state: FSMContext, translate: Translator
) -> None:
    """Ask what to change in a picture (a media key), in reply to the message that shows it."""
    await enter(state, Editing.instruction, at, picture=picture)
    await ask(bot, state, translate, translate("edit-instruction"), about)


async def handle_edit_start(
    message: Message,
    command: CommandObject,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """``/edit``, alone, under a photo, or in reply to a picture, with or without the instruction."""
    prompt = clean_prompt(command.args) if command.args else None
    picture = await photos.of(message, message.reply_to_message)
    if picture is None:
        await enter(state, Editing.picture, message.date, **({"instruction": prompt} if prompt else {}))
        await ask(bot, state, translate, translate("edit-photo"))
    elif prompt is None:
        shown = message if picture_in(message) else message.reply_to_message or message
        await start_edit(picture, shown.message_id, message.date, bot, state, translate)
    else:
        await _edit(picture, prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)


async def handle_edit_button(
    callback: CallbackQuery, bot: Bot, state: FSMContext, translate: Translator, photos: Photos
) -> None:
    """The menu's button under a photo."""
    photo = await pressed_photo(callback, bot)
    if picture := await photos.of(photo):
        await put_away(callback, bot, state)
        await start_edit(picture, photo.message_id, datetime.now(UTC), bot, state, translate)


async def handle_edit_picture(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """A photo with a caption, or the one that was asked for."""
    prompt = clean_prompt(message.caption) if message.caption else (await state.get_data()).get("instruction")
    picture = await photos.of(message)
    if picture is None:
        return
    if prompt is None:
        await start_edit(picture, message.message_id, message.date, bot, state, translate)
    else:
        await _edit(picture, prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)


async def handle_edit_reply(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """Words in reply to a picture, whoever sent it."""
    prompt = clean_prompt(message.text or "")
    if picture := await photos.of(message.reply_to_message):
        await _edit(picture, prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)


async def handle_words_after_photo(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """Words after a photo whose menu is unanswered: what to change in it."""
    prompt = clean_prompt(message.text or "")
    picture = await photos.take_in(PictureFile(**(await state.get_data())["photos"][-1]["file"]))
    if await submitter.submit(
        RequestSpec(Operation.EDIT, prompt, (picture,)), ReplyTarget.of(event_update, message), translate
    ):
        await leave(bot, state)


async def follows_photo(message: Message, state: FSMContext) -> bool:
    """Whether a photo was shown a short while ago."""
    return message.date.timestamp() - float((await state.get_data()).get("began", 0)) <= PHOTO_TTL


async def handle_edit_instruction(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
) -> None:
    """The instruction that was asked for."""
    picture = await _picture(bot, state)
    prompt = clean_prompt(message.text or "")
    if not await asked_about_words(message, bot, state, translate, Operation.EDIT):
        await _edit(picture, prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)


async def handle_words_for_edit(
    callback: CallbackQuery,
    words: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
) -> None:
    """Words of which it was asked are the instruction."""
    await quietly(bot, callback.answer())
    picture, target = await _picture(bot, state), ReplyTarget.of(event_update, words, callback.from_user.id)
    await _edit(picture, clean_prompt(words.text or ""), target, bot, state, translate, submitter)


async def _picture(bot: Bot, state: FSMContext) -> str:
    """Return the picture that is to be changed."""
    picture = (await state.get_data()).get("picture")
    if picture is None:
        await leave(bot, state)
        raise RefusedError("photo-gone")
    return str(picture)


async def _edit(
    picture: str,
    prompt: str,
    target: ReplyTarget,
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
) -> None:
    """Submit the request; the dialogue goes on if it is refused, so that the words can be sent again."""
    if await submitter.submit(RequestSpec(Operation.EDIT, prompt, (picture,)), target, translate):
        await leave(bot, state)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="edit")
    router.message.register(handle_edit_start, Command("edit"))
    router.message.register(handle_edit_picture, StateFilter(Editing), brings_picture)
    router.message.register(handle_edit_picture, StateFilter(None, Showing.menu), brings_captioned_picture)
    router.message.register(handle_edit_reply, brings_words, replies_to_picture)
    router.message.register(handle_words_after_photo, StateFilter(Showing.menu), brings_words, follows_photo)
    router.message.register(handle_edit_instruction, StateFilter(Editing.instruction), brings_words)
    router.callback_query.register(
        handle_words_for_edit,
        StateFilter(Editing.instruction),
        WordsButton.filter(F.meant == Meant.DIALOGUE),
        asks_about_words,
    )
    router.callback_query.register(handle_edit_button, PhotoButton.filter(F.action == PhotoAction.EDIT))
    return router
