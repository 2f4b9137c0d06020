"""Pictures that are small to send and costly to open, each made in memory."""

import io
from collections.abc import Callable, Mapping
from typing import Any, Final

from PIL import Image


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def many_scans(side: int = 7000, repeats: int = 4000) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each costs a decoder a walk over all blocks."""
    data = _saved(Image.new("RGB", (side, side), "green"), "JPEG", progressive=True, quality=10)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * repeats + data[-2:]


def many_segments(count: int = 1_000_000) -> bytes:
    """A JPEG with a million empty comments."""
    data = _saved(Image.new("RGB", (64, 64), "green"), "JPEG")
    return data[:2] + b"\xff\xfe\x00\x02" * count + data[2:]


def large_webp(side: int = 7070) -> bytes:
    """A lossless WebP of a few bytes, 50 megapixels with transparency: 832 MB when Pillow opens it."""
    return _saved(Image.new("RGBA", (side, side), (0, 0, 0, 0)), "WEBP", lossless=True)


def large_png(mode: str, side: int = 7070) -> bytes:
    """A PNG of one colour."""
    return _saved(Image.new(mode, (side, side)), "PNG")


def large_cmyk(side: int = 7070) -> bytes:
    """A progressive JPEG of four channels, of which a decoder keeps all coefficients."""
    return _saved(Image.new("CMYK", (side, side)), "JPEG", progressive=True)


def stripe() -> bytes:
    """20,000 by 16 pixels: 4096 by 3 when it is scaled down."""
    return _saved(Image.new("RGB", (20_000, 16), "green"), "PNG")


ATTACKS: Final[Mapping[str, Callable[[], bytes]]] = {
    "a JPEG with 4,000 scans": many_scans,
    "a JPEG with a million comments": many_segments,
    "a WebP of 50 megapixels with transparency": large_webp,
    "a PNG of 50 megapixels with transparency": lambda: large_png("RGBA"),
    "a grey PNG of 50 megapixels with transparency": lambda: large_png("LA"),
    "a PNG of 50 megapixels, 16 bits": lambda: large_png("I;16"),
    "a progressive CMYK JPEG of 50 megapixels": large_cmyk,
    "a stripe": stripe,
    "nothing": lambda: b"",
    "noise that says it is a JPEG": lambda: b"\xff\xd8\xff" + bytes(range(256)) * 1000,
}
