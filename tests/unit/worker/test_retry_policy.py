"""How often, and after how long, a call to fal is repeated."""

import asyncio
from random import Random
from typing import Any, cast

import pytest

from app.core.errors import FailureReason, RequestFailedError
from app.worker import retry_policy as retry_policy_module
from app.worker.request_cap import RequestCap
from app.worker.retry_policy import BACKOFF_MAX, Deadline, DoubtfulError, RetryPolicy, TransientError


class Cap:
    """Counts the turns taken."""

    turns = 0

    async def wait(self) -> None:
        self.turns += 1


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds slept, in no time."""
    seconds: list[float] = []

    async def sleep(wait: float) -> None:
        seconds.append(wait)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


class Call:
    """Fails in passing so many times, then answers."""

    def __init__(self, failures: int, retry_after: float | None = None, error: TransientError | None = None) -> None:
        self.failures = failures
        self.error = error or TransientError("busy", retry_after)

    async def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise self.error
        return "answer"


def retry_policy(cap: Any, retries: int = 4) -> RetryPolicy:
    return RetryPolicy(cast(RequestCap, cap), retries, Random(1))


async def test_a_call_is_repeated_with_growing_waits_and_each_takes_its_turn(slept: list[float]) -> None:
    cap = Cap()
    assert await retry_policy(cap).call(Call(4)) == "answer"
    assert cap.turns == 5
    assert all(least <= wait <= least * 1.25 for least, wait in zip([1, 2, 4, 8], slept, strict=True))


async def test_the_last_failure_is_raised(slept: list[float]) -> None:
    with pytest.raises(TransientError):
        await retry_policy(Cap(), retries=2).call(Call(3))
    assert len(slept) == 2


async def test_what_is_insisted_on_is_repeated_past_the_retries_with_bounded_waits(slept: list[float]) -> None:
    cap = Cap()
    assert await retry_policy(cap, retries=2).call_until_final(Call(2000), Deadline(3600)) == "answer"
    assert cap.turns == 2001
    assert len(slept) == 2000
    assert max(slept) <= BACKOFF_MAX * 1.25


async def test_a_deadline_ends_insistence_but_never_what_succeeds(slept: list[float]) -> None:
    assert await retry_policy(Cap()).call_until_final(Call(0), Deadline(-1)) == "answer"
    with pytest.raises(RequestFailedError) as caught:
        await retry_policy(Cap()).call_until_final(Call(1), Deadline(-1))
    assert caught.value.reason is FailureReason.TIMED_OUT


async def test_a_doubtful_answer_is_believed_only_if_nothing_else_is_heard_for_long(
    slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        await retry_policy(Cap()).call_until_final(Call(500, error=DoubtfulError("gone")), Deadline(3600)) == "answer"
    )
    monkeypatch.setattr(retry_policy_module, "DOUBT", 0.0)
    with pytest.raises(RequestFailedError) as caught:
        await retry_policy(Cap()).call_until_final(Call(500, error=DoubtfulError("gone")), Deadline(3600))
    assert caught.value.reason is FailureReason.PROVIDER_DOWN


async def test_fal_may_ask_for_a_wait_but_not_for_any(slept: list[float]) -> None:
    await retry_policy(Cap()).call(Call(1, retry_after=7))
    await retry_policy(Cap()).call(Call(1, retry_after=3600))
    assert 7 <= slept[0] <= 7 * 1.25
    assert BACKOFF_MAX <= slept[1] <= BACKOFF_MAX * 1.25
