"""Lists of prompts: one a line, from a message or a text file."""

import codecs
import unicodedata
from typing import Final

from app.bot.refusals import RefusedError
from app.bot.requests.prompts import BlankPromptError, PromptTooLongError, clean_prompt
from app.core.operations import PROMPT_MAX_LENGTH

LIST_MAX: Final = 20
"""Prompts of one list."""
FILE_MAX: Final = 256 * 1024
"""Bytes of a text file: enough for a list of the longest prompts in any encoding."""

_LAYOUT: Final = "\t\n\v\f\r\x1a\ufeff"
"""Characters that a text may hold although they are none (the last: end of a DOS file, byte order mark)."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_list(text: str) -> list[str]:
    """Return the prompts of a list; blank lines are skipped.

    Raises:
        RefusedError: there is none, there are too many, or one is too long.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > LIST_MAX:
        raise RefusedError("batch-too-many", count=len(lines), limit=LIST_MAX)
    prompts: list[str] = []
    for number, line in lines:
        try:
            prompts.append(clean_prompt(line))
        except BlankPromptError:
            continue
        except PromptTooLongError as error:
            raise RefusedError("batch-too-long", line=number, length=error.length, limit=PROMPT_MAX_LENGTH) from None
    if not prompts:
        raise RefusedError("batch-empty")
    return prompts


def decode(data: bytes) -> str:
    """Return the text of a file, whichever program of the last thirty years wrote it.

    Raises:
        RefusedError: it is no text.
    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    unmarked = ["utf-16-le", "utf-16-be"] if b"\0" in data else ["utf-8", "cp1251"]
    for encoding in marked or unmarked:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _is_text(text):
            return text
    raise RefusedError("batch-no-text")


def _is_text(text: str) -> bool:
    """Whether it holds only what people write: no control, private or unassigned characters."""
    return all(char in _LAYOUT or unicodedata.category(char) not in {"Cc", "Cn", "Co", "Cs"} for char in text)
