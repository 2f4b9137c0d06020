"""Several pictures + instruction -> one picture."""

from collections.abc import Mapping, Sequence

from aiogram import Bot, F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_picture, brings_words, is_album
from app.bot.orders.dialogues import Editing, Merging, Retouching, Showing, Upscaling
from app.bot.orders.intake import Intake, Order, Origin
from app.bot.orders.photo_menu import Deed, PhotoButton, pressed_photo, put_away
from app.bot.orders.photos import Photos, PictureFile, picture_in
from app.bot.orders.prompts import clean_prompt
from app.bot.receiving.albums import album_of
from app.bot.refusals import RefusedError
from app.bot.texts import Voice
from app.core.operations import MERGE_INPUTS_MAX, MERGE_INPUTS_MIN, Operation

Pictures = dict[str, str]
"""Media keys by the ids of the messages that brought them, which are in the order of sending."""


async def handle_smart_merge_start(message: Message, state: FSMContext, voice: Voice, photos: Photos) -> None:
    """``/merge``, alone, under a photo, or in reply to a picture."""
    picture = await photos.of(message, message.reply_to_message)
    pictures = {str(message.message_id): picture} if picture else {}
    await _keep(pictures, state)
    await _tell(pictures, message, voice)


async def handle_smart_merge_button(
    callback: CallbackQuery, bot: Bot, state: FSMContext, voice: Voice, photos: Photos
) -> None:
    """The menu's button under a photo."""
    photo = await pressed_photo(callback, bot)
    shown = await _shown_with(photo, state)
    pictures = await _add({**shown, photo.message_id: _picture_in(photo)}, state, photos)
    await put_away(callback, bot, state)
    await _keep(pictures, state)
    await _tell(pictures, photo, voice)


async def _shown_with(photo: Message, state: FSMContext) -> dict[int, PictureFile]:
    """Return the pictures that came together with one, if its menu is the one that is open."""
    shown = (await state.get_data()).get("photos", []) if await state.get_state() == Showing.menu.state else []
    together = {int(each["message_id"]): PictureFile(**each["file"]) for each in shown}
    return together if photo.message_id in together else {}


async def handle_merge_pictures(
    message: Message, event_update: Update, state: FSMContext, voice: Voice, intake: Intake, photos: Photos
) -> None:
    """An album, or one more picture; with a caption it says all that is needed."""
    messages = album_of(event_update) or [message]
    prompt = _instruction_in(messages)
    pictures = await _add({each.message_id: _picture_in(each) for each in messages}, state, photos)
    enough = len(pictures) >= MERGE_INPUTS_MIN
    if not (prompt and enough and await _merge(prompt, Origin.of(event_update, message), state, voice, intake)):
        await _tell(pictures, message, voice)


async def handle_album_for_one(message: Message) -> None:
    """Refuse an album where one picture was asked for."""
    raise RefusedError("photo-one-please")


async def handle_merge_instruction(
    message: Message, event_update: Update, state: FSMContext, voice: Voice, intake: Intake
) -> None:
    """The words that end the dialogue."""
    if len(await _pictures(state)) < MERGE_INPUTS_MIN:
        raise RefusedError("merge-too-few")
    await _merge(clean_prompt(message.text or ""), Origin.of(event_update, message), state, voice, intake)


async def _pictures(state: FSMContext) -> Pictures:
    """Return what the running dialogue has collected."""
    merging = await state.get_state() == Merging.pictures.state
    pictures: Pictures = (await state.get_data()).get("pictures", {}) if merging else {}
    return pictures


async def _add(files: Mapping[int, PictureFile], state: FSMContext, photos: Photos) -> Pictures:
    """Take in what messages (by id) bring, and return all that has been collected now."""
    before = await _pictures(state)
    ids = [str(message_id) for message_id in files]
    if (count := len({*before, *ids})) > MERGE_INPUTS_MAX:
        raise RefusedError("merge-too-many", most=MERGE_INPUTS_MAX, count=count)
    keys = await photos.take_in_all(files.values())
    pictures = {**before, **dict(zip(ids, keys, strict=True))}
    await _keep(pictures, state)
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


async def _keep(pictures: Pictures, state: FSMContext) -> None:
    await state.set_data({"pictures": pictures})
    await state.set_state(Merging.pictures)


async def _tell(pictures: Pictures, message: Message, voice: Voice) -> None:
    if not pictures:
        await message.answer(voice("merge-photos", most=MERGE_INPUTS_MAX))
    elif len(pictures) < MERGE_INPUTS_MIN:
        await message.answer(voice("merge-more"))
    else:
        await message.answer(voice("merge-instruction", count=len(pictures), most=MERGE_INPUTS_MAX))


async def _merge(prompt: str, origin: Origin, state: FSMContext, voice: Voice, intake: Intake) -> bool:
    """Order what has been collected; the dialogue goes on if it is refused, so that the words can be sent again."""
    pictures = await _pictures(state)
    inputs = tuple(pictures[message_id] for message_id in sorted(pictures, key=int))
    taken = await intake(Order(Operation.MERGE, prompt, inputs), origin, voice)
    if taken:
        await state.clear()
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
    router.callback_query.register(handle_smart_merge_button, PhotoButton.filter(F.deed == Deed.MERGE))
    return router
