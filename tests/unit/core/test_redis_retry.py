"""Calls that wait for Redis."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core.redis_clients import stay
from app.core.redis_retry import retried, retry


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits that take no time."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def no_sleep(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", no_sleep)
    return waits


async def test_a_call_is_repeated_until_it_is_answered_and_that_is_said_once(
    quick: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    errors = [RedisConnectionError("refused"), RedisTimeoutError("late"), OutOfMemoryError("full")]

    async def call() -> str:
        if errors:
            raise errors.pop(0)
        return "answer"

    assert await retry(call) == "answer"
    assert len(quick) == 3
    assert [record.getMessage() for record in caplog.records] == ["waiting for Redis: ConnectionError: refused"]


async def test_other_errors_are_the_callers() -> None:
    async def call() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await retry(call)


async def swallow() -> str:
    """What redis-py does now and then in Python 3.11: swallow a cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return "answer"


async def swallow_and_fail() -> None:
    await swallow()
    raise RedisConnectionError("closed")


@pytest.mark.parametrize("call", [swallow, swallow_and_fail])
async def test_a_cancellation_that_the_call_swallows_is_obeyed(
    quick: list[float], call: Callable[[], Awaitable[object]]
) -> None:
    task = asyncio.create_task(retry(call))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_who_has_caught_its_cancellation_may_wait_for_redis_again(quick: list[float]) -> None:
    answers = [RedisConnectionError("refused")]

    async def call() -> str:
        if answers:
            raise answers.pop()
        return "told"

    async def tell_at_the_end() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stay()
        return await retry(call)

    task = asyncio.create_task(tell_at_the_end())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "told"


async def test_a_bug_of_ours_is_raised_and_not_repeated(quick: list[float]) -> None:
    async def call() -> None:
        raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")

    with pytest.raises(ResponseError):
        await retry(call)
    assert quick == []


class Store:
    def __init__(self, *, retries: bool) -> None:
        self.retries = retries
        self.calls: list[str] = []

    @retried
    async def note(self, what: str) -> int:
        self.calls.append(what)
        if len(self.calls) == 1:
            raise RedisConnectionError("refused")
        return len(self.calls)


async def test_a_store_repeats_what_it_is_asked_if_it_is_to(quick: list[float]) -> None:
    patient, plain = Store(retries=True), Store(retries=False)
    assert await patient.note("once more") == 2
    assert patient.calls == ["once more"] * 2
    with pytest.raises(RedisConnectionError):
        await plain.note("once")
    assert plain.calls == ["once"]
