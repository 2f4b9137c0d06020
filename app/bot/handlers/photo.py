"""Pictures that come without a word, in albums, or not at all."""

from aiogram import Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import StateFilter
from aiogram.types import Message, ReplyParameters, Update

from app.bot.filters import (
    brings_document,
    brings_picture,
    brings_words,
    has_command_for_caption,
    is_moving_picture,
    is_part_of_album,
)
from app.bot.orders.dialogues import Editing, Retouching, Upscaling
from app.bot.orders.photo_menu import photo_keyboard
from app.bot.orders.photos import Photos, picture_in
from app.bot.receiving.albums import Albums
from app.bot.refusals import RefusedError
from app.bot.texts import Voice


async def handle_album_part(message: Message, event_update: Update, albums: Albums) -> None:
    """Put a message of an album aside; one that comes too late is handled as if it were alone."""
    if not await albums.add(message, event_update.update_id):
        raise SkipHandler


async def handle_photo(message: Message, voice: Voice, photos: Photos) -> None:
    """Offer what can be done with a picture."""
    file = picture_in(message)
    if file is not None and not file.is_checked:  # better said now than after the choice
        await photos.take_in(file)
    await message.answer(
        voice("photo-menu"),
        reply_markup=photo_keyboard(voice),
        reply_parameters=ReplyParameters(message_id=message.message_id, allow_sending_without_reply=True),
    )


async def handle_text_for_photo(message: Message, voice: Voice) -> None:
    """Words came where a dialogue waits for a picture."""
    await message.answer(voice("photo-please"))


async def handle_unknown_caption(message: Message, voice: Voice) -> None:
    """A command that does not exist is no instruction."""
    await message.answer(voice("unknown-command"))


async def handle_moving_picture(message: Message) -> None:
    """Refuse films and animations."""
    raise RefusedError("photo-moving")


async def handle_other_document(message: Message) -> None:
    """Refuse a file that does not even say that it is a picture."""
    raise RefusedError("photo-not-a-picture")


def make_album_router() -> Router:
    """Return the handlers that go before all others: a part of an album is nothing to handle yet."""
    router = Router(name="albums")
    router.message.register(handle_album_part, is_part_of_album)
    return router


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="photo")
    waiting = StateFilter(Editing.picture, Retouching.picture, Upscaling.picture)
    router.message.register(handle_text_for_photo, waiting, brings_words)
    router.message.register(handle_photo, brings_picture)
    router.message.register(handle_unknown_caption, has_command_for_caption)
    router.message.register(handle_moving_picture, is_moving_picture)
    router.message.register(handle_other_document, brings_document)
    return router
