"""Sending a picture, one way or another: by Telegram's name for it, as a photo, as a document."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.methods import EditMessageMedia, SendChatAction, SendDocument, SendMediaGroup, SendPhoto
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardMarkup,
    InputMediaDocument,
    InputMediaPhoto,
    Message,
    ReplyParameters,
)

from app.bot.delivery.pictures import blank, inspect
from app.bot.telegram import is_gone, is_ignorable, says_unchanged
from app.core.errors import ImagebotError
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


Place = Callable[[], Awaitable[int]]
"""Gives the id of the message that is to become a picture."""
_File = BufferedInputFile | str
_Kind = type[SendPhoto] | type[SendDocument]
_Way = Callable[[_Kind, _File, Frame], Awaitable[str]]


_PHOTO: Final[tuple[_Kind, ...]] = (SendPhoto,)
_ANY: Final[tuple[_Kind, ...]] = (SendPhoto, SendDocument)


class NotAPhotoError(ImagebotError):
    """The picture can only go as a document."""


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
        return await self._bring(key, frame, file_id, self._post)

    async def send_album(self, frame: Frame, pictures: Sequence[str]) -> list[Message]:
        """Send an album of photos by Telegram's names for them; where the name is empty a blank keeps the place.

        Raises:
            aiogram.exceptions.TelegramAPIError: it can't be sent, or there is nobody to send it to.
        """
        if not all(pictures):
            await self._announce(frame.chat_id, ChatAction.UPLOAD_PHOTO)
        media = [
            InputMediaPhoto(
                media=file_id or BufferedInputFile(blank(), "blank.jpg"), caption=None if number else frame.caption
            )
            for number, file_id in enumerate(pictures)
        ]
        return await self._bot(
            SendMediaGroup(chat_id=frame.chat_id, media=list(media), reply_parameters=_reply(frame))
        )

    async def replace_in_album(self, key: str, frame: Frame, message_id: int, file_id: str = _NO_FILE) -> str:
        """Turn a photo of an album into a picture; otherwise as ``replace``.

        Raises:
            NotAPhotoError: it does not fit a photo, or is not taken as one; the message is as it was.
        """

        async def place() -> int:
            return message_id

        return await self.replace(key, frame, place, file_id, _PHOTO)

    async def replace(
        self, key: str, frame: Frame, place: Place, file_id: str = _NO_FILE, kinds: tuple[_Kind, ...] = _ANY
    ) -> str:
        """Turn a message into a picture; otherwise as ``send``. Doing it again changes nothing that can be seen.

        ``place`` gives the message's id; it is asked when the picture is at hand. If the message is gone the picture
        is sent as a new one. The name is empty if the message was that picture already.
        """

        async def edit(kind: _Kind, file: _File, frame: Frame) -> str:
            media = InputMediaPhoto if kind is SendPhoto else InputMediaDocument
            method = EditMessageMedia(
                chat_id=frame.chat_id,
                message_id=await place(),
                media=media(media=file, caption=frame.caption),
                reply_markup=frame.keyboard,
            )
            return _file_id(await self._bot(method))

        try:
            return await self._bring(key, frame, file_id, edit, kinds)
        except TelegramBadRequest as error:
            if says_unchanged(error):
                return _NO_FILE
            if not is_ignorable(error):
                raise
            logger.info("%s: the message that was to become it is gone: %s", key, error.message)
        return await self.send(key, frame, file_id)

    async def send_file(self, key: str, frame: Frame, file_id: str = _NO_FILE) -> str:
        """Send a picture in full quality, as a document; otherwise as ``send``."""
        if file_id:
            try:
                return await self._post(SendDocument, file_id, frame)
            except TelegramBadRequest as error:
                if is_gone(error):
                    raise
        await self._announce(frame.chat_id, ChatAction.UPLOAD_DOCUMENT)
        data = await self._media.get(key)
        return await self._post(SendDocument, BufferedInputFile(data, inspect(data).file_name), frame)

    async def _bring(self, key: str, frame: Frame, file_id: str, way: _Way, kinds: tuple[_Kind, ...] = _ANY) -> str:
        """Try by name and by upload, as a photo and as a document, until Telegram takes one."""
        if file_id:
            for kind in kinds:
                try:
                    return await way(kind, file_id, frame)
                except TelegramBadRequest as error:
                    if _is_final(error):
                        raise
            logger.warning("%s: Telegram no longer knows it by its name", key)
        await self._announce(frame.chat_id, ChatAction.UPLOAD_PHOTO)
        data = await self._media.get(key)
        outgoing = inspect(data)
        file = BufferedInputFile(data, outgoing.file_name)
        if outgoing.fits_photo:
            try:
                return await way(SendPhoto, file, frame)
            except TelegramBadRequest as error:
                if _is_final(error):
                    raise
                logger.warning("%s: not taken as a photo: %s", key, error.message)
        if SendDocument not in kinds:
            raise NotAPhotoError(key)
        return await way(SendDocument, file, frame)

    async def _post(self, kind: _Kind, file: _File, frame: Frame) -> str:
        around: dict[str, Any] = {
            "chat_id": frame.chat_id,
            "caption": frame.caption,
            "reply_markup": frame.keyboard,
            "reply_parameters": _reply(frame),
        }
        message: Message
        if kind is SendPhoto:
            message = await self._bot(SendPhoto(photo=file, **around))
        else:
            message = await self._bot(SendDocument(document=file, **around))
        return _file_id(message)

    async def _announce(self, chat_id: int, action: ChatAction) -> None:
        """Show that something is on its way; not worth an error."""
        with suppress(TelegramAPIError, ClientDecodeError):
            await self._bot(SendChatAction(chat_id=chat_id, action=action))


def _reply(frame: Frame) -> ReplyParameters | None:
    if not frame.reply_to:
        return None
    return ReplyParameters(message_id=frame.reply_to, allow_sending_without_reply=True)


def _is_final(error: TelegramBadRequest) -> bool:
    """Whether no other way of sending it would do: nobody is there, or the message to edit is gone, or is it."""
    return is_gone(error) or is_ignorable(error)


def _file_id(message: Message | bool) -> str:
    if isinstance(message, bool):
        return _NO_FILE
    if message.photo:
        return message.photo[-1].file_id
    return message.document.file_id if message.document else _NO_FILE
