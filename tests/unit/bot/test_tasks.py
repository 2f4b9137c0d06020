"""Tasks end, even those that lose a cancellation."""

import asyncio
import contextlib

from app.bot.tasks import end


async def test_a_task_that_loses_the_first_cancellation_ends_with_the_second() -> None:
    async def deaf_once() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_what_has_ended_already_is_left_alone() -> None:
    task = asyncio.create_task(asyncio.sleep(0, result=5))
    await task
    await end([task])
    assert task.result() == 5
