"""Errors in Telegram's form and words."""

from typing import Any

JSON = dict[str, Any]


class ApiError(Exception):
    """A refused call: `{"ok": false, "error_code", "description", "parameters"?}`."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.body: JSON = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.body["parameters"] = parameters


def bad(reason: str) -> ApiError:
    """Give a 400."""
    return ApiError(400, f"Bad Request: {reason}")


def too_many(seconds: int) -> ApiError:
    """Give a 429 that asks to wait so many seconds."""
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)


def conflict(reason: str) -> ApiError:
    """Give a 409."""
    return ApiError(409, f"Conflict: {reason}")


class PersonError(Exception):
    """The person's client would not let them do that."""
