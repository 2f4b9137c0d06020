"""What a person can choose in /settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

AUTO: Final = "auto"
"""Nothing chosen: Telegram's language, the model's own size."""

SIZES: Final[Mapping[str, str]] = {
    "square": "1:1",
    "portrait": "3:4",
    "landscape": "4:3",
    "tall": "9:16",
    "wide": "16:9",
}
"""The ratio of width to height of each size; what it is in pixels depends on the endpoint."""


class Choice(StrEnum):
    """What can be chosen; a field of ``Preferences`` each."""

    LANGUAGE = "language"
    SIZE = "size"
    PICTURES = "pictures"


OPTIONS: Final[Mapping[Choice, tuple[str, ...]]] = {
    Choice.LANGUAGE: (AUTO, "en", "ru"),
    Choice.SIZE: (AUTO, *SIZES),
    Choice.PICTURES: ("1", "2", "3", "4"),
}
"""What can be chosen from; the first is the default."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """One person's choices, each one of its ``OPTIONS``."""

    language: str = AUTO
    size: str = AUTO
    pictures: str = "1"

    @classmethod
    def from_hash(cls, stored: Mapping[str, str]) -> "Preferences":
        """Read what is stored; an option that no longer exists counts as not chosen."""
        return cls(**{choice: stored[choice] for choice in Choice if stored.get(choice) in OPTIONS[choice]})

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of a picture made from words; empty if nothing was chosen.

        What is the default anyway is left out, so that it finds the same cached result as nothing chosen.
        """
        parameters: dict[str, Any] = {"aspect_ratio": SIZES[self.size]} if self.size in SIZES else {}
        if self.pictures != "1":
            parameters["num_images"] = int(self.pictures)
        return parameters
