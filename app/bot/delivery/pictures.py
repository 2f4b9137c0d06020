"""How a picture can go to Telegram."""

import io
from dataclasses import dataclass
from functools import cache
from typing import Final

from PIL import Image

PHOTO_MAX_BYTES: Final = 10_000_000
PHOTO_MAX_SIDES: Final = 10_000
"""Width and height together, in pixels."""
PHOTO_MAX_RATIO: Final = 20
"""The longer side over the shorter."""


_BLANK: Final = (512, 512), "#d8d8d8"
"""Size and colour of a picture that stands for one on its way."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A picture to send; what does not fit Telegram's limits for photos goes as a document."""

    file_name: str
    fits_photo: bool


def inspect(data: bytes) -> Outgoing:
    """Look at a picture's header.

    Raises:
        PIL.UnidentifiedImageError: it is no picture.
    """
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
        width, height = image.size
        extension = "jpg" if image.format == "JPEG" else str(image.format).lower()
    fits = (
        len(data) <= PHOTO_MAX_BYTES
        and width + height <= PHOTO_MAX_SIDES
        and max(width, height) <= PHOTO_MAX_RATIO * min(width, height)
    )
    return Outgoing(f"picture.{extension}", fits)


@cache
def blank() -> bytes:
    """Return a picture that shows nothing: it keeps a place in an album."""
    size, colour = _BLANK
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()
