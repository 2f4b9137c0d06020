"""Several pictures + instruction -> one picture."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from aiogram import Bot, F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_picture, brings_words, is_album
from app.bot.refusals import RefusedError
from app.bot.requests.dialogues import Editing, Merging, Retouching, Showing, Upscaling
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, pressed_photo, put_away
from app.bot.requests.photos import Photos, PictureFile, picture_in
from app.bot.requests.prompts import clean_prompt
from app.bot.requests.questions import Meant, WordsButton, ask, asked_about_words, asks_about_words, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.bot.updates.albums import album_of
from app.core.operations import MERGE_INPUTS_MAX, MERGE_INPUTS_MIN, Operation

Pictures = dict[str, str]
"""Media keys by the ids of the messages that brought them, which are in the order of sending."""


async def handle_smart_merge_start(
    message: Message, bot: Bot, state: FSMContext, translate: Translator, photos: Photos
) -> None:
    """``/merge``, alone, under a photo, or in reply to a picture."""
    picture = await photos.of(message, message.reply_to_message)
    pictures = {str(message.message_id): picture} if picture else {}
    await enter(state, Merging.pictures, message.date, pictures=pictures)
    await _tell(pictures, message, bot, state, translate)


async def handle_smart_merge_button(
    callback: CallbackQuery, bot: Bot, state: FSMContext, translate: Translator, photos: Photos
) -> None:
    """The menu's button under a photo."""
    photo = await pressed_photo(callback, bot)
    shown = await _shown_with(photo, state)
    pictures = await _add({**shown, photo.message_id: _picture_in(photo)}, datetime.now(UTC), state, photos)
    await put_away(callback, bot, state)
    await _tell(pictures, photo, bot, state, translate)


async def _shown_with(photo: Message, state: FSMContext) -> dict[int, PictureFile]:
    """Return the pictures that came together with one, if its menu is the one that is open."""
    shown = (await state.get_data()).get("photos", []) if await state.get_state() == Showing.menu.state else []
    together = {int(each["message_id"]): PictureFile(**each["file"]) for each in shown}
    return together if photo.message_id in together else {}


async def handle_merge_pictures(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """An album, or one more picture; with a caption it says all that is needed."""
    messages = album_of(event_update) or [message]
    prompt = _instruction_in(messages)
    pictures = await _add({each.message_id: _picture_in(each) for each in messages}, message.date, state, photos)
    enough = len(pictures) >= MERGE_INPUTS_MIN
    if not (
        prompt
        and enough
        and await _merge(prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)
    ):
        await _tell(pictures, message, bot, state, translate)


async def handle_album_for_one(message: Message) -> None:
    """Refuse an album where one picture was asked for."""
    raise RefusedError("photo-one-please")


async def handle_merge_instruction(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
) -> None:
    """The words that end the dialogue."""
    if len(await _pictures(state)) < MERGE_INPUTS_MIN:
        raise RefusedError("merge-too-few")
    prompt = clean_prompt(message.text or "")
    if not await asked_about_words(message, bot, state, translate, Operation.MERGE):
        await _merge(prompt, ReplyTarget.of(event_update, message), bot, state, translate, submitter)


async def handle_words_for_merge(
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
    target = ReplyTarget.of(event_update, words, callback.from_user.id)
    await _merge(clean_prompt(words.text or ""), target, bot, state, translate, submitter)


async def _pictures(state: FSMContext) -> Pictures:
    """Return what the running dialogue has collected."""
    merging = await state.get_state() == Merging.pictures.state
    pictures: Pictures = (await state.get_data()).get("pictures", {}) if merging else {}
    return pictures


async def _add(files: Mapping[int, PictureFile], at: datetime, state: FSMContext, photos: Photos) -> Pictures:
    """Take in what messages (by id) bring, and return all that has been collected now."""
    before = await _pictures(state)
    ids = [str(message_id) for message_id in files]
    if (count := len({*before, *ids})) > MERGE_INPUTS_MAX:
        raise RefusedError("merge-too-many", most=MERGE_INPUTS_MAX, count=count)
    keys = await photos.take_in_all(files.values())
    pictures = {**before, **dict(zip(ids, keys, strict=True))}
    await enter(state, Merging.pictures, at, pictures=pictures)
    return pictures


def _instruction_in(messages: Sequence[Message]) -> str | None:
    caption = next((message.caption for message in messages if message.caption), "")
    words = caption.removeprefix("/merge").strip()
    return clean_prompt(words) if words else None


def _picture_in(message: Message) -> PictureFile:
    picture = picture_in(message)
    if picture is None:
        raise RefusedError("photo-not-a-picture" if message.document and not message.animation else "photo-moving")
    return picture


async def _tell(pictures: Pictures, message: Message, bot: Bot, state: FSMContext, translate: Translator) -> None:
    if not pictures:
        text = translate("merge-photos", most=MERGE_INPUTS_MAX)
    elif len(pictures) < MERGE_INPUTS_MIN:
        text = translate("merge-more")
    elif len(pictures) < MERGE_INPUTS_MAX:
        text = translate("merge-instruction", count=len(pictures), most=MERGE_INPUTS_MAX)
    else:
        text = translate("merge-full", most=MERGE_INPUTS_MAX)
    await ask(bot, state, translate, text, message.message_id)


async def _merge(
    prompt: str, target: ReplyTarget, bot: Bot, state: FSMContext, translate: Translator, submitter: RequestSubmitter
) -> bool:
    """Submit what has been collected; the dialogue goes on if it is refused, so that the words can be sent again."""
    pictures = await _pictures(state)
    inputs = tuple(pictures[message_id] for message_id in sorted(pictures, key=int))
    taken = await submitter.submit(RequestSpec(Operation.MERGE, prompt, inputs), target, translate)
    if taken:
        await leave(bot, state)
    return taken


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="smart merge")
    one_is_asked_for = StateFilter(Editing.picture, Retouching.picture, Upscaling.picture)
    router.message.register(handle_album_for_one, is_album, one_is_asked_for)
    router.message.register(handle_merge_pictures, is_album)
    router.message.register(handle_smart_merge_start, Command("merge"))
    router.message.register(handle_merge_pictures, StateFilter(Merging.pictures), brings_picture)
    router.message.register(handle_merge_instruction, StateFilter(Merging.pictures), brings_words)
    router.callback_query.register(
        handle_words_for_merge,
        StateFilter(Merging.pictures),
        WordsButton.filter(F.meant == Meant.DIALOGUE),
        asks_about_words,
    )
    router.callback_query.register(handle_smart_merge_button, PhotoButton.filter(F.action == PhotoAction.MERGE))
    return router
