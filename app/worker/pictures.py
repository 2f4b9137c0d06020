"""Check that what fal sent is a picture."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

from app.core.errors import FailureReason, RequestFailedError

RESULT_MAX_PIXELS: Final = 120_000_000
"""Pixels of a result that are accepted: an upscaled picture is large."""
_SUFFIXES: Final = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that decodes: its bytes, the suffix of its real format, width and height in pixels."""

    data: bytes
    suffix: str
    width: int
    height: int


def verify(data: bytes) -> Picture:
    """Decode a picture whole.

    Raises:
        RequestFailedError: it is no picture, of no known format, too large, or broken.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_SUFFIXES)) as image:
            if image.width * image.height > RESULT_MAX_PIXELS:
                raise RequestFailedError(FailureReason.INTERNAL, f"a result of {image.width}x{image.height} pixels")
            image.load()
            return Picture(data, _SUFFIXES[str(image.format)], image.width, image.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        detail = f"the result is no picture: {type(error).__name__}"
        raise RequestFailedError(FailureReason.INTERNAL, detail) from error
