"""A look at a file's parts before anything decodes it: a reader that meets a million of them works for minutes.

JPEG (ITU-T T.81, B.1): segments, scans and the bytes that fill the room before a marker. A progressive JPEG may
repeat its last scan thousands of times at 75 bytes each, and a decoder then works for hours. PNG: chunks.
"""

import re
import struct
from typing import Final

SCANS_MAX: Final = 100
"""Scans of one picture; cameras and editors write 1 to 14."""
SEGMENTS_MAX: Final = 2000
"""Segments besides scans, such as comments and parts of a colour profile; a profile has 255 at most."""
FILL_MAX: Final = 10_000
"""Bytes that fill the room before markers; hardly anything writes one."""
CHUNKS_MAX: Final = 20_000
"""Chunks of a PNG; 20 MB have 5,000 if they are small."""

_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker that is no stuffed byte and no restart marker, with its fill bytes."""
_ALONE: Final = frozenset({0x01, 0xD8})
"""Markers without a length: TEM and SOI."""
_SCAN, _END = 0xDA, 0xD9
_JPEG: Final = b"\xff\xd8"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_CHUNK: Final = struct.Struct(">I4s")
_SUM: Final = 4
"""Bytes of the checksum behind a chunk."""


def is_reasonable(data: bytes) -> bool:
    """Tell whether a file has few enough parts; what is neither JPEG nor PNG is reasonable here."""
    if data.startswith(_JPEG):
        return _is_reasonable_jpeg(data)
    return not data.startswith(_PNG) or _is_reasonable_png(data)


def _is_reasonable_jpeg(data: bytes) -> bool:
    at, scans, segments, fill = len(_JPEG), 0, 0, 0
    while found := _MARKER.search(data, at):
        kind, at = found[1][0], found.end()
        fill += len(found[0]) - 2
        if kind == _END:
            return fill <= FILL_MAX  # what follows (another picture of the file, perhaps) is not decoded
        if kind in _ALONE:
            segments += 1
        else:
            at += int.from_bytes(data[at : at + 2], "big")
            scans += kind == _SCAN
            segments += kind != _SCAN
        if scans > SCANS_MAX or segments > SEGMENTS_MAX or fill > FILL_MAX:
            return False
    return True


def _is_reasonable_png(data: bytes) -> bool:
    at = len(_PNG)
    for _ in range(CHUNKS_MAX):
        if at + _CHUNK.size > len(data):
            return True
        length, kind = _CHUNK.unpack_from(data, at)
        if kind == b"IEND":
            return True
        at += _CHUNK.size + length + _SUM
    return False
