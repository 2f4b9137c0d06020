"""What can go wrong on purpose with the bot's calls."""

from dataclasses import dataclass
from typing import Any

from .errors import ApiError, too_many

KINDS = ("answer", "drop", "drop_after", "delay")


@dataclass
class Fault:
    """Something to do to the next `times` calls of a method (-1 = until the reset)."""

    method: str = ""
    """Empty: any method but getUpdates."""
    kind: str = "answer"
    """`answer` an error instead; `drop` the connection unheard; do it and `drop_after`; `delay` the answer."""
    status: int = 500
    description: str = ""
    retry_after: int = 3
    times: int = 1
    delay_s: float = 0.0
    chat_id: int | None = None

    def error(self) -> ApiError:
        """Give the error to answer."""
        if self.status == 429:
            return too_many(self.retry_after)
        words = {403: "Forbidden: bot was blocked by the user", 502: "Bad Gateway"}
        return ApiError(self.status, self.description or words.get(self.status, "Internal Server Error"))


class Faults:
    """The faults that are waiting for their call."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, values: dict[str, Any]) -> None:
        """Take a fault; a ValueError says what is wrong with it."""
        try:
            fault = Fault(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if fault.kind not in KINDS:
            raise ValueError(f"no such kind: {fault.kind}; there are {', '.join(KINDS)}")
        self._waiting.append(fault)

    def take(self, method: str, chat_id: int) -> Fault | None:
        """Take the first fault that is meant for this call."""
        for fault in self._waiting:
            named = fault.method == method or (not fault.method and method != "getUpdates")
            if named and fault.chat_id in (None, chat_id):
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None
