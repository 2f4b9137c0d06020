"""Calls to fal that may fail in passing: under the cap on requests, repeated with backoff."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeVar

from app.core.errors import FailureReason, RequestFailedError
from app.core.redis_clients import until_answered
from app.worker.fal_queue import TransientFalError
from app.worker.request_cap import RequestCap

T = TypeVar("T")

BACKOFF_FIRST: Final = 1.0
"""Seconds before the first repetition of a call that failed in passing; doubled for each further one."""
BACKOFF_MAX: Final = 30.0
"""Seconds of the longest such wait, whatever fal asks for."""


class Patience:
    """How often, and how fast, fal is asked: ``retries`` is the most repetitions of one call."""

    def __init__(self, cap: RequestCap, retries: int, random: Random) -> None:
        self._cap = cap
        self._retries = retries
        self._random = random

    async def turn(self) -> None:
        """Wait until the cap allows the next request."""
        await until_answered(self._cap.wait)

    async def call(self, call: Callable[[], Awaitable[T]], *, capped: bool = True) -> T:
        """Send a request, and again while it fails in passing. ``capped``: it is one of fal's API, which limits us.

        Raises:
            RequestFailedError: it failed once too often.
        """
        attempt = 0
        while True:
            if capped:
                await self.turn()
            try:
                return await call()
            except TransientFalError as error:
                await self.back_off(error, attempt)
            attempt += 1

    async def back_off(self, error: Exception, attempt: int, retries: int | None = None) -> None:
        """Wait after the failure of an attempt (0 for the first), as long as fal asks for if it does.

        ``retries``: how many are allowed, if not as many as usual.

        Raises:
            RequestFailedError: this was the last attempt.
        """
        if attempt >= (self._retries if retries is None else retries):
            raise RequestFailedError(FailureReason.PROVIDER_DOWN, str(error)) from error
        asked = error.retry_after if isinstance(error, TransientFalError) else None
        wait = min(BACKOFF_MAX, asked or BACKOFF_FIRST * 2**attempt)
        await asyncio.sleep(wait * (1 + self._random.random() / 4))
