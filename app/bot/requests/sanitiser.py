"""Sanitises pictures of strangers, in a child process: whatever a file does to the decoder, the bot goes on."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from app.bot.refusals import RefusedError
from app.bot.requests.sanitised_image import SanitisedImage
from app.core.child_process import ChildFailedError, ChildProcesses

SECONDS_MAX: Final = 15.0
"""Seconds for one picture; one of 50 megapixels takes about two."""
MEMORY_MAX: Final = 768 * 1024 * 1024
"""Bytes of the child's address space; Python and Pillow themselves take 100 MB of it."""
ANSWER_MAX: Final = 64 * 1024 * 1024
"""Bytes of a picture in sanitised form: 4096 x 4096 pixels of noise as a PNG are 48 MB."""
_SUFFIXES: Final = frozenset({"jpg", "png"})

Spent = Callable[[float], Awaitable[None]]

logger = logging.getLogger(__name__)


async def _uncounted(_: float) -> None:
    """Nobody asks."""


class Sanitiser:
    """One picture at a time: a large one takes hundreds of megabytes."""

    def __init__(self) -> None:
        self._children = ChildProcesses(
            "app.bot.requests.sanitiser_process",
            size=1,
            seconds=SECONDS_MAX,
            memory=MEMORY_MAX,
            answer_max=ANSWER_MAX,
        )

    async def __call__(self, data: bytes, spent: Spent = _uncounted) -> SanitisedImage:
        """Return a picture in sanitised form; the same bytes give the same bytes.

        ``spent`` is told the seconds for which the decoder was at work, however that ends.

        Raises:
            RefusedError: it is no picture that the bot can use, or takes too much time or memory to open.
        """
        try:
            header, picture = await self._children(data)
        except ChildFailedError as error:
            await spent(SECONDS_MAX)
            logger.warning("a picture of %d bytes was given up: %s", len(data), error.reason)
            raise RefusedError("photo-too-much") from None
        seconds = header.get("seconds")
        await spent(min(seconds, SECONDS_MAX) if isinstance(seconds, float) else SECONDS_MAX)
        if "refused" in header:
            raise RefusedError(str(header["refused"]), **dict(header.get("variables", {})))
        if header.get("suffix") not in _SUFFIXES:
            raise RefusedError("photo-too-much")
        return SanitisedImage(picture, header["suffix"])

    async def warm_up(self) -> None:
        """Start the child before the first picture comes."""
        await self._children.warm_up()

    async def aclose(self) -> None:
        """End the child."""
        await self._children.aclose()
