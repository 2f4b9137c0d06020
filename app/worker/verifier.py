"""fal's pictures are decoded in a child process: whatever a file does to the decoder, the worker goes on."""

from typing import Final

from app.core.child_process import ChildFailedError, ChildProcesses
from app.core.errors import FailureReason, RequestFailedError
from app.worker.pictures import SUFFIXES
from app.worker.retry_policy import TransientError

SECONDS_MAX: Final = 15.0
"""Seconds for one picture; a PNG of 120 megapixels takes about three."""
MEMORY_MAX: Final = 1024 * 1024 * 1024
"""Bytes of the child's address space: 120 megapixels of RGB are 480 MB, 50 of a WebP 830 MB."""


class Verifier:
    """One picture at a time: a large one takes hundreds of megabytes."""

    def __init__(self) -> None:
        self._children = ChildProcesses(
            "app.worker.picture_process", size=1, seconds=SECONDS_MAX, memory=MEMORY_MAX, answer_max=0
        )

    async def __call__(self, data: bytes) -> str:
        """Decode a picture whole; return the suffix of its real format.

        Raises:
            RequestFailedError: it is no picture, or takes too much time or memory to open.
            TransientError: there is no child to be had now.
        """
        try:
            header, _ = await self._children(data)
        except ChildFailedError as error:
            detail = f"a result of {len(data)} bytes that can't be opened: {error.reason}"
            raise RequestFailedError(FailureReason.INTERNAL, detail) from None
        except OSError as error:
            raise TransientError(f"no process to decode a picture: {type(error).__name__}") from error
        if (suffix := header.get("suffix")) in SUFFIXES.values():
            return str(suffix)
        raise RequestFailedError(FailureReason.INTERNAL, str(header.get("refused")))

    async def aclose(self) -> None:
        """End the child."""
        await self._children.aclose()
