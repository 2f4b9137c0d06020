"""Ending tasks for sure."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

_AGAIN: Final = 0.5
"""Seconds between two cancellations."""


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11, in which redis-py sends commands, loses a cancellation
    that comes just as its own work is done.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN)
