"""Check that what fal sent is a picture."""

import io
import warnings
from dataclasses import dataclass
from typing import Final

from PIL import Image

from app.core import picture_structure
from app.core.errors import FailureReason, RequestFailedError

RESULT_MAX_PIXELS: Final = 120_000_000
"""Pixels of a result that are accepted: an upscaled picture is large."""
WEBP_MAX_PIXELS: Final = 50_000_000
"""The same for a WebP, of which a decoder makes four copies."""
SUFFIXES: Final = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp"}
"""The suffix of each format that is known. (MPO: a JPEG with further pictures behind it, as telephones make.)"""

# Pillow grumbles at what is checked here: many pixels.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that decodes: the suffix of its real format, width and height in pixels."""

    suffix: str
    width: int
    height: int


def verify(data: bytes) -> Picture:
    """Decode a picture whole. It may take minutes and gigabytes: see ``app/worker/verifier.py``.

    Raises:
        RequestFailedError: it is no picture, of no known format, too large, or broken.
    """
    if not picture_structure.is_reasonable(data):
        raise _refused("a result of too many parts")
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as image:
            most = WEBP_MAX_PIXELS if image.format == "WEBP" else RESULT_MAX_PIXELS
            if image.width * image.height > most:
                raise _refused(f"a result of {image.width}x{image.height} pixels")
            image.load()
            return Picture(SUFFIXES[str(image.format)], image.width, image.height)
    except RequestFailedError:
        raise
    except Exception as error:  # Pillow names a broken file in a dozen ways, some of them by accident
        raise _refused(f"the result is no picture: {type(error).__name__}") from error


def _refused(detail: str) -> RequestFailedError:
    return RequestFailedError(FailureReason.INTERNAL, detail)
