"""Real pictures of a wanted size in bytes: made once per shape, then cheap, and each job's is its own."""

import io
import random
import struct
import threading
import zlib
from dataclasses import dataclass

from PIL import Image, ImageOps

SIDE_MOST = 8192
"""Pixels; larger pictures are not drawn."""
_HUES = 6


@dataclass(frozen=True)
class Shape:
    """What pictures are the same but for the mark."""

    width: int
    height: int
    kind: str
    """`png` or `jpeg`."""
    size: int
    """Bytes; a picture that can't be so small gets as small as it can."""
    hue: int = 0


def _draw(shape: Shape, rows: int) -> bytes:
    """Draw gradients whose lowest `rows` rows are noise, which no encoder makes small."""
    width, height = shape.width, shape.height
    down = Image.linear_gradient("L").resize((width, height))
    across = Image.linear_gradient("L").transpose(Image.Transpose.ROTATE_90).resize((width, height))
    bands = [down, across, Image.new("L", (width, height), 96)]
    turn = shape.hue % 3
    picture = Image.merge("RGB", bands[turn:] + bands[:turn])
    if shape.hue >= 3:
        picture = ImageOps.invert(picture)
    rows = min(rows, height)
    if rows:
        noise = Image.frombytes("RGB", (width, rows), random.Random(shape.hue).randbytes(3 * width * rows))
        picture.paste(noise, (0, height - rows))
    out = io.BytesIO()
    if shape.kind == "png":
        picture.save(out, "PNG", compress_level=1)
    else:
        picture.save(out, "JPEG", quality=90)
    return out.getvalue()


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _insert(picture: bytes, kind: str, extra: bytes) -> bytes:
    at = 33 if kind == "png" else 2  # after PNG's IHDR, after JPEG's SOI
    return picture[:at] + extra + picture[at:]


def _comments(kind: str, size: int) -> bytes:
    """Padding of about `size` bytes that decoders skip."""
    if kind == "png":
        return _chunk(b"paDg", bytes(max(0, size - 12)))
    parts = []
    while size > 4:
        length = min(size, 65_000)
        parts.append(b"\xff\xfe" + struct.pack(">H", length - 2) + bytes(length - 4))
        size -= length
    return b"".join(parts)


class Pictures:
    """A cache of pictures by shape. Thread-safe: drawing is slow and is done outside the event loop."""

    def __init__(self) -> None:
        self._cache: dict[Shape, bytes] = {}
        self._lock = threading.Lock()

    def warm(self, width: int, height: int, kind: str, size: int) -> None:
        """Draw the usual shapes ahead, so that the first jobs take no longer than the others."""
        for hue in range(_HUES):
            self._base(Shape(width, height, kind, size, hue))

    def _base(self, shape: Shape) -> bytes:
        with self._lock:
            if shape not in self._cache:
                self._cache[shape] = self._make(shape)
            return self._cache[shape]

    def _make(self, shape: Shape) -> bytes:
        """Come close to the wanted size from below with noise, and fill up with padding."""
        best = _draw(shape, 0)
        missing = shape.size - len(best)
        for row_bytes in (3.2 * shape.width, 4 * shape.width):  # a row of noise costs about 3 bytes a pixel
            rows = int(missing / row_bytes)
            picture = _draw(shape, rows) if rows > 0 else best
            if len(picture) <= shape.size:
                best = picture
                break
        return _insert(best, shape.kind, _comments(shape.kind, shape.size - len(best)))

    def get(self, shape: Shape, mark: str) -> bytes:
        """Give a picture of that shape whose comment is `mark`, so that no two jobs' bytes are equal."""
        text = mark.encode()
        if shape.kind == "png":
            extra = _chunk(b"tEXt", b"Comment\0" + text)
        else:
            extra = b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text
        return _insert(self._base(shape), shape.kind, extra)


def hue_of(text: str) -> int:
    """Give a colour number, so that different prompts look different."""
    return zlib.crc32(text.encode()) % _HUES


def bomb() -> bytes:
    """Give a small PNG that unpacks to 400 million pixels."""
    side = 20_000
    row = bytes(1 + side // 8)
    packer = zlib.compressobj(9)
    data = b"".join([packer.compress(row) for _ in range(side)] + [packer.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def measure(data: bytes) -> tuple[int, int]:
    """Give width and height of a picture; an OSError says that it is none or too large."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return picture.size
    except Image.DecompressionBombError as error:
        raise OSError(str(error)) from error
