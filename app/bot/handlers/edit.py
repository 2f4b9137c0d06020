"""Picture + instruction -> picture."""

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, InaccessibleMessage, Message, Update

from app.bot.filters import brings_captioned_picture, brings_picture, brings_words, replies_to_picture
from app.bot.orders.dialogues import PHOTO_TTL, Editing, Showing
from app.bot.orders.intake import Intake, Order, Origin
from app.bot.orders.photo_menu import Deed, PhotoButton, pressed_photo, put_away
from app.bot.orders.photos import Photos, PictureFile
from app.bot.orders.prompts import clean_prompt
from app.bot.orders.questions import leave
from app.bot.refusals import RefusedError
from app.bot.texts import Voice
from app.core.operations import Operation


async def start_edit(picture: str, message: Message | InaccessibleMessage, state: FSMContext, voice: Voice) -> None:
    """Ask what to change in a picture (a media key), in the chat of a message."""
    await state.set_data({"picture": picture})
    await state.set_state(Editing.instruction)
    await message.answer(voice("edit-instruction"))


async def handle_edit_start(
    message: Message,
    command: CommandObject,
    event_update: Update,
    state: FSMContext,
    voice: Voice,
    intake: Intake,
    photos: Photos,
) -> None:
    """``/edit``, alone, under a photo, or in reply to a picture, with or without the instruction."""
    prompt = clean_prompt(command.args) if command.args else None
    picture = await photos.of(message, message.reply_to_message)
    if picture is None:
        await state.set_data({"instruction": prompt} if prompt else {})
        await state.set_state(Editing.picture)
        await message.answer(voice("edit-photo"))
    elif prompt is None:
        await start_edit(picture, message, state, voice)
    else:
        await _edit(picture, prompt, Origin.of(event_update, message), state, voice, intake)


async def handle_edit_button(
    callback: CallbackQuery, bot: Bot, state: FSMContext, voice: Voice, photos: Photos
) -> None:
    """The menu's button under a photo."""
    photo = await pressed_photo(callback, bot)
    if picture := await photos.of(photo):
        await put_away(callback, bot, state)
        await start_edit(picture, photo, state, voice)


async def handle_edit_picture(
    message: Message, event_update: Update, state: FSMContext, voice: Voice, intake: Intake, photos: Photos
) -> None:
    """A photo with a caption, or the one that was asked for."""
    prompt = clean_prompt(message.caption) if message.caption else (await state.get_data()).get("instruction")
    picture = await photos.of(message)
    if picture is None:
        return
    if prompt is None:
        await start_edit(picture, message, state, voice)
    else:
        await _edit(picture, prompt, Origin.of(event_update, message), state, voice, intake)


async def handle_edit_reply(
    message: Message, event_update: Update, state: FSMContext, voice: Voice, intake: Intake, photos: Photos
) -> None:
    """Words in reply to a picture, whoever sent it."""
    prompt = clean_prompt(message.text or "")
    if picture := await photos.of(message.reply_to_message):
        await _edit(picture, prompt, Origin.of(event_update, message), state, voice, intake)


async def handle_words_after_photo(
    message: Message, bot: Bot, event_update: Update, state: FSMContext, voice: Voice, intake: Intake, photos: Photos
) -> None:
    """Words after a photo whose menu is unanswered: what to change in it."""
    prompt = clean_prompt(message.text or "")
    picture = await photos.take_in(PictureFile(**(await state.get_data())["photos"][-1]["file"]))
    if await intake(Order(Operation.EDIT, prompt, (picture,)), Origin.of(event_update, message), voice):
        await leave(bot, state)


async def follows_photo(message: Message, state: FSMContext) -> bool:
    """Whether a photo was shown a short while ago."""
    return message.date.timestamp() - float((await state.get_data())["began"]) <= PHOTO_TTL


async def handle_edit_instruction(
    message: Message, event_update: Update, state: FSMContext, voice: Voice, intake: Intake
) -> None:
    """The instruction that was asked for."""
    picture = (await state.get_data()).get("picture")
    if picture is None:
        await state.clear()
        raise RefusedError("photo-gone")
    await _edit(picture, clean_prompt(message.text or ""), Origin.of(event_update, message), state, voice, intake)


async def _edit(picture: str, prompt: str, origin: Origin, state: FSMContext, voice: Voice, intake: Intake) -> None:
    """Place the order; the dialogue goes on if it is refused, so that the words can be sent again."""
    if await intake(Order(Operation.EDIT, prompt, (picture,)), origin, voice):
        await state.clear()


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="edit")
    router.message.register(handle_edit_start, Command("edit"))
    router.message.register(handle_edit_picture, StateFilter(Editing), brings_picture)
    router.message.register(handle_edit_picture, StateFilter(None, Showing.menu), brings_captioned_picture)
    router.message.register(handle_edit_reply, brings_words, replies_to_picture)
    router.message.register(handle_words_after_photo, StateFilter(Showing.menu), brings_words, follows_photo)
    router.message.register(handle_edit_instruction, StateFilter(Editing.instruction), brings_words)
    router.callback_query.register(handle_edit_button, PhotoButton.filter(F.deed == Deed.EDIT))
    return router
