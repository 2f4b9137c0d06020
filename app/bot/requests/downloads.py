"""Files that people send, fetched from Telegram."""

import io
import logging
from typing import Final

import aiohttp
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest

from app.core.backoff import Backoff
from app.core.errors import ImagebotError

ATTEMPTS: Final = 5
TIMEOUT: Final = 60
"""Seconds that one attempt may take."""

logger = logging.getLogger(__name__)


class TooLargeError(ImagebotError):
    """The file has more bytes than are wanted."""


class UnavailableError(ImagebotError):
    """Telegram does not give the file out."""


async def download(bot: Bot, file_id: str, size: int | None, limit: int) -> bytes:
    """Return a file; ``size`` is what Telegram says it has, ``limit`` the most to take, both in bytes.

    Raises:
        TooLargeError: it is larger than the limit, whatever was said.
        UnavailableError: it can't be had, even after a few attempts.
    """
    if size is not None and size > limit:
        raise TooLargeError
    backoff = Backoff("Telegram (files)")
    for _ in range(ATTEMPTS):
        try:
            file = await bot.get_file(file_id)
            buffer = _LimitedBuffer(limit)
            await bot.download_file(str(file.file_path), buffer, timeout=TIMEOUT)
        except TelegramBadRequest as error:
            if "too big" in error.message.lower():
                raise TooLargeError from None
            logger.info("a file can't be had: %s", error.message)
            break
        except (aiohttp.ClientError, TimeoutError) as error:
            await backoff.wait(error)
        else:
            backoff.reset()
            return buffer.getvalue()
    raise UnavailableError


class _LimitedBuffer(io.BytesIO):
    """Takes no more than ``limit`` bytes, whatever size was announced."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]  # aiogram's chunks
        if self.tell() + len(data) > self._limit:
            raise TooLargeError
        return super().write(data)
