"""Waiting for something to become true, with a generous deadline."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(value: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait until a function gives something true, and give that.

    Raises:
        AssertionError: it does not within so many seconds.
    """
    end = time.monotonic() + seconds
    while not (found := value()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.03)
    return found
