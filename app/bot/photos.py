"""People's pictures on their way in: from Telegram, through ``normal_form.py``, into the media store."""

import asyncio
import hashlib
import io
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import Message

from app.bot.normal_form import normalise
from app.bot.outage import Outage
from app.bot.refusals import RefusedError
from app.core.media import MediaStore

BYTES_MAX: Final = 20 * 1024 * 1024
"""Bytes of a file; Telegram lets a bot download no more."""
DOWNLOADS_AT_ONCE: Final = 8
DOWNLOAD_ATTEMPTS: Final = 5
DOWNLOAD_TIMEOUT: Final = 60
"""Seconds that one attempt may take."""

_UNTOLD_TYPES: Final = (None, "", "application/octet-stream")
"""MIME types of documents that may be anything."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A file at Telegram that says it is a picture; ``size`` in bytes if Telegram told it.

    ``is_checked``: Telegram itself has made a photo of it, so that it surely is one.
    """

    file_id: str
    size: int | None
    is_checked: bool


def picture_in(message: Message) -> PictureFile | None:
    """Return the picture that a message brings, as a photo or as a document."""
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return PictureFile(largest.file_id, largest.file_size, is_checked=True)
    document = message.document
    if document is None or message.animation is not None:
        return None
    kind = document.mime_type
    if kind in _UNTOLD_TYPES or str(kind).startswith("image/"):
        return PictureFile(document.file_id, document.file_size, is_checked=False)
    return None


class Photos:
    """Takes pictures in: downloads, checks, normalises and stores them."""

    def __init__(self, bot: Bot, media: MediaStore) -> None:
        self._bot = bot
        self._media = media
        self._downloads = asyncio.Semaphore(DOWNLOADS_AT_ONCE)
        # One thread: a decoded picture takes hundreds of megabytes, and one that is given up goes on to its end.
        self._decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")

    async def take_in(self, file: PictureFile) -> str:
        """Return the media key of the picture in normal form; the same picture gets the same key.

        Raises:
            RefusedError: the file is too large, can't be had, or is no picture that the bot can use.
        """
        if file.size is not None and file.size > BYTES_MAX:
            raise _too_large()
        async with self._downloads:
            data = await self._download(file.file_id)
            picture = await asyncio.get_running_loop().run_in_executor(self._decoder, normalise, data)
        digest = hashlib.sha256(picture.data).hexdigest()
        key = f"inputs/{digest[:2]}/{digest}.{picture.suffix}"
        await self._media.put(key, picture.data)
        return key

    async def take_in_all(self, files: Iterable[PictureFile]) -> list[str]:
        """Return the media keys of several pictures, in their order.

        Raises:
            RefusedError: one of them can't be taken in.
        """
        outcomes = await asyncio.gather(*(self.take_in(file) for file in files), return_exceptions=True)
        keys = [outcome for outcome in outcomes if isinstance(outcome, str)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return keys

    async def _download(self, file_id: str) -> bytes:
        outage = Outage("Telegram (files)")
        for _ in range(DOWNLOAD_ATTEMPTS):
            try:
                file = await self._bot.get_file(file_id)
                buffer = _LimitedBuffer()
                await self._bot.download_file(str(file.file_path), buffer, timeout=DOWNLOAD_TIMEOUT)
            except TelegramBadRequest as error:
                if "too big" in error.message.lower():
                    raise _too_large() from None
                logger.info("a picture can't be had: %s", error.message)
                break
            except (aiohttp.ClientError, TimeoutError) as error:
                await outage.pause(error)
            else:
                outage.over()
                return buffer.getvalue()
        raise RefusedError("photo-unavailable")


class _LimitedBuffer(io.BytesIO):
    """Takes no more than ``BYTES_MAX``, whatever size was announced."""

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # aiogram's chunks
        if self.tell() + len(data) > BYTES_MAX:
            raise _too_large()
        return super().write(data)


def _too_large() -> RefusedError:
    return RefusedError("photo-too-large", megabytes=BYTES_MAX // (1024 * 1024))
