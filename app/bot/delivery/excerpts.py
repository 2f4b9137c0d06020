"""People's prompts inside our own sentences."""

from typing import Final

_ISOLATE: Final = "\u2068"
_END: Final = "\u2069"
"""First strong isolate and its end: what is between them can't turn the rest of a line round."""


def excerpt(text: str, length: int = 60) -> str:
    """Return a text in one line of at most ``length`` characters, whatever direction it is written in."""
    line = " ".join(text.split())
    if len(line) > length:
        line = f"{line[: length - 1].rstrip()}…"
    return f"{_ISOLATE}{line}{_END}"
