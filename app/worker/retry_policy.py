"""What may fail in passing: under the cap on requests to fal, repeated with backoff."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeVar

from app.core.errors import FailureReason, ImagebotError, RequestFailedError
from app.worker.request_cap import RequestCap

log = logging.getLogger(__name__)

T = TypeVar("T")

BACKOFF_FIRST: Final = 1.0
"""Seconds before the first repetition of a call that failed in passing; doubled for each further one."""
BACKOFF_MAX: Final = 30.0
"""Seconds of the longest such wait, whatever fal asks for."""
DOUBT: Final = 120.0
"""Seconds for which an answer that may be final must be all that is heard before it is believed."""


class TransientError(ImagebotError):
    """What was asked for was not done, and may be later; ``retry_after`` in seconds if the answer said so."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class DoubtfulError(TransientError):
    """An answer such as 404: final if it stays, but proxies and young replicas give it in passing, too."""


class Deadline:
    """A point in time by the monotonic clock, which no other clock's jump moves."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Whether it lies behind us."""
        return time.monotonic() >= self._at


class RetryPolicy:
    """How often, and how fast, fal is asked: ``retries`` is the most repetitions of a call that may be given up."""

    def __init__(self, cap: RequestCap, retries: int, random: Random) -> None:
        self._cap = cap
        self._retries = retries
        self._random = random

    async def throttle(self) -> None:
        """Wait until the cap allows the next request."""
        await self._cap.wait()

    async def call(self, call: Callable[[], Awaitable[T]], *, capped: bool = True) -> T:
        """Send a request, and again while it fails in passing. ``capped``: it is one of fal's API, which limits us.

        Raises:
            TransientError: it failed once too often.
        """
        attempt = 0
        while True:
            if capped:
                await self.throttle()
            try:
                return await call()
            except TransientError as error:
                await self.back_off(error, attempt)
            attempt += 1

    async def call_until_final(
        self, call: Callable[[], Awaitable[T]], deadline: Deadline, *, capped: bool = True
    ) -> T:
        """Make a call until it succeeds: what it asks for is paid already.

        Raises:
            RequestFailedError: the deadline has passed, or nothing but one answer was heard that then is final.
        """
        attempt, doubted_since = 0, None
        while True:
            if capped:
                await self.throttle()
            try:
                return await call()
            except TransientError as error:
                doubtful = isinstance(error, DoubtfulError)
                doubted_since = (doubted_since or time.monotonic()) if doubtful else None
                if doubted_since and time.monotonic() - doubted_since >= DOUBT:
                    raise RequestFailedError(FailureReason.PROVIDER_DOWN, str(error)) from error
                if deadline.passed:
                    raise RequestFailedError(FailureReason.TIMED_OUT, str(error)) from error
                if attempt in {0, self._retries}:
                    log.warning("attempt %d: %s; going on", attempt + 1, error)
                await self.wait(error, attempt)
            attempt += 1

    async def back_off(self, error: Exception, attempt: int, retries: int | None = None) -> None:
        """Wait after the failure of an attempt (0 for the first).

        ``retries``: how many are allowed, if not as many as usual.

        Raises:
            Exception: the error itself, if this was the last attempt.
        """
        if attempt >= (self._retries if retries is None else retries):
            raise error
        await self.wait(error, attempt)

    async def wait(self, error: Exception, attempt: int) -> None:
        """Wait after the failure of an attempt, as long as fal asks for if it does."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        wait = min(BACKOFF_MAX, asked or BACKOFF_FIRST * 2 ** min(attempt, 10))
        await asyncio.sleep(wait * (1 + self._random.random() / 4))
