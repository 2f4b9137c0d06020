"""Picture -> the same, larger and sharper."""

from aiogram import Bot, F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_picture
from app.bot.requests.dialogues import Upscaling
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, pressed_photo, put_away
from app.bot.requests.photos import Photos
from app.bot.requests.questions import ask, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.texts import Translator
from app.core.operations import Operation


async def upscale(picture: str, target: ReplyTarget, translate: Translator, submitter: RequestSubmitter) -> bool:
    """Ask for a larger version of a picture (a media key); return whether it was taken."""
    return await submitter.submit(RequestSpec(Operation.UPSCALE, inputs=(picture,)), target, translate)


async def handle_upscale_start(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """``/upscale``, alone, under a photo, or in reply to a picture."""
    if picture := await photos.of(message, message.reply_to_message):
        await upscale(picture, ReplyTarget.of(event_update, message), translate, submitter)
    else:
        await enter(state, Upscaling.picture, message.date)
        await ask(bot, state, translate, translate("upscale-photo"))


async def handle_upscale_picture(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    submitter: RequestSubmitter,
    photos: Photos,
) -> None:
    """The picture that was asked for."""
    picture = await photos.of(message)
    if picture and await upscale(picture, ReplyTarget.of(event_update, message), translate, submitter):
        await leave(bot, state)


async def handle_upscale_button(
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
    if picture and await upscale(
        picture, ReplyTarget.of(event_update, photo, callback.from_user.id), translate, submitter
    ):
        await put_away(callback, bot, state)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="upscale")
    router.message.register(handle_upscale_start, Command("upscale"))
    router.message.register(handle_upscale_picture, StateFilter(Upscaling), brings_picture)
    router.callback_query.register(handle_upscale_button, PhotoButton.filter(F.action == PhotoAction.UPSCALE))
    return router
