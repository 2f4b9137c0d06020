"""Blocking calls in threads that do not keep the process alive: a worker that was told to stop ends in seconds."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def in_thread(call: Callable[[], T]) -> "asyncio.Future[T]":
    """Run a call in a thread of its own, with the caller's context variables; cancelling does not end it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(setter: Callable[[Any], None], outcome: Any) -> None:
        if not future.done():
            setter(outcome)

    def run() -> None:
        try:
            setter, outcome = future.set_result, context.run(call)
        except BaseException as error:
            setter, outcome = future.set_exception, error  # type: ignore[assignment]  # each setter has its own type
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits
            loop.call_soon_threadsafe(settle, setter, outcome)

    threading.Thread(target=run, daemon=True).start()
    return future
