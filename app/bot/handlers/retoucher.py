"""Portrait -> retouched portrait."""

from aiogram import Bot, F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_picture
from app.bot.requests.dialogues import Retouching
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, pressed_photo, put_away
from app.bot.requests.photos import Photos
from app.bot.requests.questions import ask, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.texts import Translator
from app.core.operations import Operation


async def retouch(picture: str, target: ReplyTarget, translate: Translator, submitter: RequestSubmitter) -> bool:
    """Ask for the retouch of a picture (a media key); return whether it was taken."""
    return await submitter.submit(RequestSpec(Operation.RETOUCH, inputs=(picture,)), target, translate)


async def handle_retoucher_start(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """``/retouch``, alone, under a photo, or in reply to a picture."""
    if picture := await photos.of(message, message.reply_to_message):
        await retouch(picture, ReplyTarget.of(event_update, message), translate, submitter)
    else:
        await enter(state, Retouching.picture, message.date)
        await ask(bot, state, translate, translate("retouch-photo"))


async def handle_retoucher_picture(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """The portrait that was asked for."""
    picture = await photos.of(message)
    if picture and await retouch(picture, ReplyTarget.of(event_update, message), translate, submitter):
        await leave(bot, state)


async def handle_retoucher_button(
    callback: CallbackQuery,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """The menu's button under a photo."""
    photo = await pressed_photo(callback, bot)
    picture = await photos.of(photo)
    if picture and await retouch(
        picture, ReplyTarget.of(event_update, photo, callback.from_user.id), translate, submitter
    ):
        await put_away(callback, bot, state)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="retoucher")
    router.message.register(handle_retoucher_start, Command("retouch"))
    router.message.register(handle_retoucher_picture, StateFilter(Retouching), brings_picture)
    router.callback_query.register(handle_retoucher_button, PhotoButton.filter(F.action == PhotoAction.RETOUCH))
    return router
