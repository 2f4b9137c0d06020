"""RequestSpec within a key, company across keys."""

import asyncio
from functools import partial

import pytest

from app.bot.keyed_executor import BACKLOG, KeyedExecutor


async def test_a_lane_keeps_its_order_while_others_go_on() -> None:
    executor, seen, gate = KeyedExecutor(limit=10), list[str](), asyncio.Event()

    async def note(name: str, wait: bool = False) -> None:
        if wait:
            await gate.wait()
        seen.append(name)

    await executor.put("a", partial(note, "a1", wait=True))
    await executor.put("a", partial(note, "a2"))
    await executor.put("b", partial(note, "b1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["b1"]
    gate.set()
    await executor.drain(grace=1)
    assert seen == ["b1", "a1"]  # a2 had not begun: it is left for the next start


async def test_an_error_is_logged_and_does_not_stop_its_lane(caplog: pytest.LogCaptureFixture) -> None:
    executor, done = KeyedExecutor(limit=10), asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("broken")

    async def succeed() -> None:
        done.set()

    await executor.put("a", fail)
    await executor.put("a", succeed)
    await asyncio.wait_for(done.wait(), 5)
    assert "broken" in caplog.text


async def test_no_more_than_the_limit_is_at_work_and_ten_times_as_many_accepted() -> None:
    executor, gate, begun = KeyedExecutor(limit=2), asyncio.Event(), list[int]()

    async def wait(number: int) -> None:
        begun.append(number)
        await gate.wait()

    for number in range(2 * BACKLOG):
        await executor.put(number, partial(wait, number))
    late = asyncio.create_task(executor.put("late", partial(wait, -1)))
    await asyncio.sleep(0.01)
    assert begun == [0, 1]
    assert not late.done()
    gate.set()
    await asyncio.wait_for(late, 5)


async def test_a_lane_in_which_much_waits_leaves_room_to_the_others() -> None:
    executor, gate, done = KeyedExecutor(limit=2), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        await gate.wait()

    async def finish() -> None:
        done.set()

    for _ in range(10):
        await executor.put("busy", wait)
    await executor.put("other", finish)
    await asyncio.wait_for(done.wait(), 5)
    gate.set()


async def test_draining_cancels_what_does_not_end_in_time() -> None:
    executor, cancelled = KeyedExecutor(limit=2), asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    await executor.put("a", never)
    await asyncio.sleep(0)
    await executor.drain(grace=0)
    assert cancelled.is_set()
