"""A look at a JPEG's segments before anything decodes it (ITU-T T.81, B.1): how many there are, and how many scans.

A progressive JPEG may repeat its last scan thousands of times at 75 bytes each, and a decoder then works for hours.
"""

import re
from typing import Final

SCANS_MAX: Final = 100
"""Scans of one picture; cameras and editors write 1 to 14."""
SEGMENTS_MAX: Final = 2000
"""Segments besides scans, such as comments and parts of a colour profile; a profile has 255 at most."""

_MARKER: Final = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker that is no stuffed byte and no restart marker, with its fill bytes."""
_ALONE: Final = frozenset({0x01, 0xD8})
"""Markers without a length: TEM and SOI."""
_SCAN, _END = 0xDA, 0xD9


def is_reasonable(data: bytes) -> bool:
    """Tell whether a file has few enough scans and segments; what is no JPEG at all is reasonable here."""
    if not data.startswith(b"\xff\xd8"):
        return True
    at, scans, segments = 2, 0, 0
    while found := _MARKER.search(data, at):
        kind, at = found[1][0], found.end()
        if kind == _END:
            return True  # what follows (another picture of the file, perhaps) is not decoded
        if kind in _ALONE:
            segments += 1
        else:
            at += int.from_bytes(data[at : at + 2], "big")
            scans += kind == _SCAN
            segments += kind != _SCAN
        if scans > SCANS_MAX or segments > SEGMENTS_MAX:
            return False
    return True
