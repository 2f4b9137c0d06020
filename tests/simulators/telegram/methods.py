"""The methods by name; names are found in any case, as at Telegram."""

from collections.abc import Awaitable, Callable
from typing import Any

from .params import Params
from .world import World

Method = Callable[[World, Params], Awaitable[Any]]
METHODS: dict[str, tuple[str, Method]] = {}
"""By lower-case name: the name as documented, and what does it."""


def method(name: str) -> Callable[[Method], Method]:
    """Register a coroutine as a method of the Bot API; it gives the `result` or raises an ApiError."""

    def register(function: Method) -> Method:
        METHODS[name.lower()] = (name, function)
        return function

    return register
