"""Pictures that come without a word, in albums, or not at all."""

from dataclasses import asdict
from typing import Any

from aiogram import Bot, F, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, ReplyParameters, Update

from app.bot.filters import (
    brings_document,
    brings_picture,
    brings_words,
    has_command_for_caption,
    is_moving_picture,
    is_part_of_album,
    is_piece,
)
from app.bot.refusals import RefusedError
from app.bot.requests.dialogues import BURST, Editing, Retouching, Showing, Upscaling
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, photo_keyboard, put_away
from app.bot.requests.photos import Photos, PictureFile, picture_in
from app.bot.requests.questions import ask, enter
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.bot.updates.albums import Albums
from app.core.operations import MERGE_INPUTS_MAX


async def handle_album_part(message: Message, event_update: Update, albums: Albums) -> None:
    """Put a message of an album, or a piece of a text, aside; one that comes too late is handled as if alone."""
    if not await albums.add(message, event_update.update_id):
        raise SkipHandler


async def handle_photo(message: Message, bot: Bot, state: FSMContext, translate: Translator, photos: Photos) -> None:
    """Offer what can be done with a picture, or with those that came just before it, too: one menu for all."""
    file = picture_in(message)
    if file is None:
        return
    if not file.is_checked:  # better said now than after the choice
        await photos.take_in(file)
    mode, data = await state.get_state(), await state.get_data()
    if mode not in (None, Showing.menu.state):
        await message.answer(
            translate("photo-menu"), reply_markup=photo_keyboard(translate), reply_parameters=_to(message)
        )
        return
    together = mode is not None and message.date.timestamp() - data.get("began", 0) <= BURST
    if not together:  # the menu of a photo that came long before stays
        await state.clear()
    others = data["photos"] if together else []
    shown = [*(each for each in others if each["message_id"] != message.message_id), _shown(message, file)]
    await enter(state, Showing.menu, message.date, photos=shown[-MERGE_INPUTS_MAX:])
    text = translate("photo-menu") if len(shown) == 1 else translate("photo-menu-several", count=len(shown))
    await ask(bot, state, translate, text, message.message_id, photo_keyboard(translate))


def _shown(message: Message, file: PictureFile) -> dict[str, Any]:
    return {"message_id": message.message_id, "file": asdict(file)}


def _to(message: Message) -> ReplyParameters:
    return ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True)


async def handle_new_button(callback: CallbackQuery, bot: Bot, state: FSMContext, translate: Translator) -> None:
    """The next words are not about this photo."""
    await quietly(bot, callback.answer(translate("photo-new")))
    await put_away(callback, bot, state)


async def handle_text_for_photo(_: Message, bot: Bot, state: FSMContext, translate: Translator) -> None:
    """Words came where a dialogue waits for a picture."""
    await ask(bot, state, translate, translate("photo-please"))


async def handle_unknown_caption(message: Message, translate: Translator) -> None:
    """A command that does not exist is no instruction."""
    await message.answer(translate("unknown-command"))


async def handle_moving_picture(message: Message) -> None:
    """Refuse films and animations."""
    raise RefusedError("photo-moving")


async def handle_other_document(message: Message) -> None:
    """Refuse a file that does not even say that it is a picture."""
    raise RefusedError("photo-not-a-picture")


def make_album_router() -> Router:
    """Return the handlers that go before all others: a part of an album or a text is nothing to handle yet."""
    router = Router(name="albums")
    router.message.register(handle_album_part, is_part_of_album)
    router.message.register(handle_album_part, is_piece)
    return router


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="photo")
    waiting = StateFilter(Editing.picture, Retouching.picture, Upscaling.picture)
    router.message.register(handle_text_for_photo, waiting, brings_words)
    router.message.register(handle_photo, brings_picture)
    router.callback_query.register(handle_new_button, PhotoButton.filter(F.action == PhotoAction.NEW))
    router.message.register(handle_unknown_caption, has_command_for_caption)
    router.message.register(handle_moving_picture, is_moving_picture)
    router.message.register(handle_other_document, brings_document)
    return router
