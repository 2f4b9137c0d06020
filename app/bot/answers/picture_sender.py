"""Sending a picture, one way or another: by Telegram's name for it, as a photo, as a document."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.methods import SendChatAction, SendDocument, SendPhoto
from aiogram.types import BufferedInputFile, InlineKeyboardMarkup, Message, ReplyParameters

from app.bot.answers.pictures import inspect
from app.bot.telegram import is_gone
from app.core.media import MediaStore

_NO_FILE: Final = ""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is round a picture: the chat, the message that it answers, the text and the buttons below."""

    chat_id: int
    reply_to: int | None = None
    caption: str | None = None
    keyboard: InlineKeyboardMarkup | None = None


class PictureSender:
    """Sends pictures of the media store."""

    def __init__(self, bot: Bot, media: MediaStore) -> None:
        self._bot = bot
        self._media = media

    async def send(self, key: str, frame: Frame, file_id: str = _NO_FILE) -> str:
        """Send a picture so that it can be seen in the chat if possible; return Telegram's name for it.

        ``file_id``: the name that it has already, if it does. What does not fit a photo, or is not taken as one,
        goes as a document.

        Raises:
            FileNotFoundError: there is no such picture.
            aiogram.exceptions.TelegramAPIError: it can't be sent, or there is nobody to send it to.
        """
        if file_id:
            for attempt in (self._as_photo, self._as_document):
                try:
                    return await attempt(file_id, frame)
                except TelegramBadRequest as error:
                    if is_gone(error):
                        raise
            logger.warning("%s: Telegram no longer knows it by its name", key)
        return await self._upload(key, frame)

    async def send_file(self, key: str, frame: Frame, file_id: str = _NO_FILE) -> str:
        """Send a picture in full quality, as a document; otherwise as ``send``."""
        if file_id:
            try:
                return await self._as_document(file_id, frame)
            except TelegramBadRequest as error:
                if is_gone(error):
                    raise
        await self._announce(frame.chat_id, ChatAction.UPLOAD_DOCUMENT)
        data = await self._media.get(key)
        return await self._as_document(BufferedInputFile(data, inspect(data).file_name), frame)

    async def _upload(self, key: str, frame: Frame) -> str:
        await self._announce(frame.chat_id, ChatAction.UPLOAD_PHOTO)
        data = await self._media.get(key)
        outgoing = inspect(data)
        file = BufferedInputFile(data, outgoing.file_name)
        if outgoing.fits_photo:
            try:
                return await self._as_photo(file, frame)
            except TelegramBadRequest as error:
                if is_gone(error):
                    raise
                logger.warning("%s: not taken as a photo: %s", key, error.message)
        return await self._as_document(file, frame)

    async def _as_photo(self, photo: BufferedInputFile | str, frame: Frame) -> str:
        return _file_id(await self._bot(SendPhoto(photo=photo, **_around(frame))))

    async def _as_document(self, document: BufferedInputFile | str, frame: Frame) -> str:
        return _file_id(await self._bot(SendDocument(document=document, **_around(frame))))

    async def _announce(self, chat_id: int, action: ChatAction) -> None:
        """Show that something is on its way; not worth an error."""
        with suppress(TelegramAPIError, ClientDecodeError):
            await self._bot(SendChatAction(chat_id=chat_id, action=action))


def _file_id(message: Message) -> str:
    if message.photo:
        return message.photo[-1].file_id
    return message.document.file_id if message.document else _NO_FILE


def _around(frame: Frame) -> dict[str, Any]:
    reply = ReplyParameters(message_id=frame.reply_to, allow_sending_without_reply=True) if frame.reply_to else None
    return {
        "chat_id": frame.chat_id,
        "caption": frame.caption,
        "reply_markup": frame.keyboard,
        "reply_parameters": reply,
    }
