"""People's pictures on their way in: from Telegram, through ``sanitised_image.py``, into the media store."""

import asyncio
import contextlib
import hashlib
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

import obstore.exceptions
from aiogram import Bot
from aiogram.types import Message

from app.bot.delivery.keyboards import ResultButton
from app.bot.refusals import RefusedError
from app.bot.requests.downloads import TooLargeError, UnavailableError, download
from app.bot.requests.room import Room
from app.bot.requests.sanitised_image import SanitisedImage
from app.bot.requests.sanitiser import Spent
from app.core.media import MediaStore
from app.core.rate_limit import RateLimiter
from app.core.requests import RequestRecord, RequestStore

BYTES_MAX: Final = 20 * 1024 * 1024
"""Bytes of a file; Telegram lets a bot download no more."""
PICTURES_MAX: Final = 30
PICTURES_WINDOW: Final = 60
"""Pictures that are taken in from one person in so many seconds: three full albums. A second of the decoder counts as
one picture more, a file with prompts as one."""
DOWNLOADS_AT_ONCE: Final = 8
"""Files in memory at a time."""

_UNTOLD_TYPES: Final = (None, "", "application/octet-stream")
"""MIME types of documents that may be anything."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file at Telegram that says it is a picture; ``size`` in bytes if Telegram told it.

    ``is_checked``: Telegram itself has made a photo of it, so that it surely is one. ``user_id``: who shows it.
    """

    user_id: int
    file_id: str
    size: int | None
    is_checked: bool


def picture_in(message: Message) -> PictureFile | None:
    """Return the picture that a message of a private chat brings, as a photo or as a document."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return PictureFile(message.chat.id, largest.file_id, largest.file_size, is_checked=True)
    document = message.document
    if document is None or message.animation is not None:
        return None
    kind = document.mime_type
    if kind in _UNTOLD_TYPES or str(kind).startswith("image/"):
        return PictureFile(message.chat.id, document.file_id, document.file_size, is_checked=False)
    return None


class Photos:
    """Takes pictures in: downloads, checks, normalises and stores them."""

    def __init__(
        self,
        bot: Bot,
        media: MediaStore,
        requests: RequestStore,
        limiter: RateLimiter,
        sanitise: Callable[[bytes, Spent], Awaitable[SanitisedImage]],
        room: Room,
        shown_in: Callable[[int, int], Awaitable[tuple[str, int] | None]],
    ) -> None:
        """``limiter`` counts pictures: they cost something long before there is a request to count.

        ``shown_in``: tells which picture of which request a message (chat, id) of an album shows.
        """
        self._bot = bot
        self._limiter = limiter
        self._media = media
        self._requests = requests
        self._downloads = asyncio.Semaphore(DOWNLOADS_AT_ONCE)
        self._normalise = sanitise
        self._room = room
        self._shown_in = shown_in

    async def of(self, *messages: Message | None) -> str | None:
        """Return the media key of the picture that the first of some messages brings, or None if none does.

        A result of the bot's own is known by its buttons, or its place in an album, and taken in full quality while
        it is kept.

        Raises:
            RefusedError: the picture can't be taken in.
        """
        for message in messages:
            if message is not None and (file := picture_in(message)) is not None:
                return await self._result_in(message) or await self.take_in(file)
        return None

    async def of_result(self, record: RequestRecord, number: int) -> str:
        """Return the media key of a picture of a result; if it is no longer kept, it is taken as Telegram has it.

        Raises:
            RefusedError: the picture can't be taken in.
        """
        key, name = record.media[number], (*record.file_ids, "")[min(number, len(record.file_ids))]
        if not name or await self._is_kept(key):
            return key
        return await self.take_in(PictureFile(record.request.user_id, name, None, is_checked=True))

    async def _result_in(self, message: Message) -> str | None:
        button = _result_button_in(message)
        shown = (button.request_id, button.number) if button else None
        if message.media_group_id and not shown:
            shown = await self._shown_in(message.chat.id, message.message_id)
        record = await self._requests.load(shown[0]) if shown else None
        if not shown or not record or record.request.chat_id != message.chat.id:
            return None
        key = record.media[shown[1]] if 0 <= shown[1] < len(record.media) else None
        return key if key and await self._is_kept(key) else None

    async def _is_kept(self, key: str) -> bool:
        with contextlib.suppress(OSError, obstore.exceptions.BaseError):
            return await self._media.renew(key)
        return True  # as far as can be seen just now

    async def take_in(self, file: PictureFile) -> str:
        """Return the media key of the picture in sanitised form; the same picture gets the same key.

        Raises:
            RefusedError: the file is too large, can't be had, or is no picture that the bot can use; the person has
                sent too many, or there is no room for any.
        """
        if await self._room.is_lacking():
            raise RefusedError("refused-no-room")
        await self.count(file.user_id)
        async with self._downloads:
            try:
                data = await download(self._bot, file.file_id, file.size, BYTES_MAX)
            except TooLargeError:
                raise RefusedError("photo-too-large", megabytes=BYTES_MAX // (1024 * 1024)) from None
            except UnavailableError:
                raise RefusedError("photo-unavailable") from None
            picture = await self._normalise(data, partial(self._count_time, file.user_id))
        digest = hashlib.sha256(picture.data).hexdigest()
        key = f"inputs/{digest[:2]}/{digest}.{picture.suffix}"
        await self._media.put(key, picture.data)
        return key

    async def take_in_all(self, files: Iterable[PictureFile]) -> list[str]:
        """Return the media keys of several pictures, in their order.

        One at a time, so that others' pictures come in between.

        Raises:
            RefusedError: one of them can't be taken in.
        """
        return [await self.take_in(file) for file in files]

    async def count(self, user_id: int) -> None:
        """Count a file that a person sends.

        Raises:
            RefusedError: there were too many.
        """
        if wait := await self._limiter.hit(user_id):
            raise RefusedError("rate-limited", seconds=math.ceil(wait))

    async def _count_time(self, user_id: int, seconds: float) -> None:
        """Count what a picture cost, as far as there is something left to count."""
        for _ in range(int(seconds)):
            if await self._limiter.hit(user_id):
                return


def _result_button_in(message: Message) -> ResultButton | None:
    """Return what the buttons under a result of the bot's say of it."""
    rows = message.reply_markup.inline_keyboard if message.reply_markup else []
    for button in (button for row in rows for button in row):
        with contextlib.suppress(TypeError, ValueError):
            return ResultButton.unpack(button.callback_data or "")
    return None
