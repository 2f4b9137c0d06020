"""What counts as a prompt."""

import unicodedata

from app.bot.refusals import RefusedError
from app.core.operations import PROMPT_MAX_LENGTH

_PASTED = frozenset("\u00ad\u200b\u2060\ufeff\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e")
"""Soft hyphens, zero-width spaces, and the marks that set words of another direction apart (our captions have such):
what is copied along with words, and means nothing to a model."""
_INVISIBLE_LETTERS = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Characters that Unicode counts as letters, marks or symbols although nothing is to be seen."""


class BlankPromptError(RefusedError):
    """Nothing to be seen in it."""

    def __init__(self) -> None:
        super().__init__("prompt-blank")


class PromptTooLongError(RefusedError):
    """More than ``PROMPT_MAX_LENGTH`` characters; ``length`` says how many."""

    def __init__(self, length: int) -> None:
        super().__init__("prompt-too-long", length=length, limit=PROMPT_MAX_LENGTH)
        self.length = length


def clean_prompt(text: str) -> str:
    """Return the prompt in a person's message: NFC, no control characters, trimmed of all that is blank.

    What was copied along is left out, so that a prompt copied from a caption is the prompt that it was. Joiners and
    direction marks inside the text stay, since emoji and right-to-left languages need them.

    Raises:
        BlankPromptError: there is nothing to be seen.
        PromptTooLongError: it is longer than ``PROMPT_MAX_LENGTH``.
    """
    text = text.replace("\r\n", "\n").replace("\u00a0", " ")
    text = "".join(char for char in text if _is_kept(char))
    text = unicodedata.normalize("NFC", text)
    visible = [position for position, char in enumerate(text) if not _is_blank(char)]
    if not visible:
        raise BlankPromptError
    # What follows the last visible character may belong to it (a variation selector): trim only real blanks there.
    text = text[visible[0] :].rstrip()
    if len(text) > PROMPT_MAX_LENGTH:
        raise PromptTooLongError(len(text))
    return text


def _is_kept(char: str) -> bool:
    return char in "\n\t" or (char not in _PASTED and unicodedata.category(char) not in ("Cc", "Cs"))


def _is_blank(char: str) -> bool:
    return (
        char.isspace() or char in _INVISIBLE_LETTERS or unicodedata.category(char) in ("Cf", "Cn", "Co", "Cc")
        or "\ufe00" <= char <= "\ufe0f"
    )  # fmt: skip
