"""What the worker has seen of an endpoint decides when it looks."""

import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from app.core import redis_keys
from app.core.polling_config import POLL_INTERVAL_INITIAL, PollingConfig
from app.core.requests import FalRequest
from app.worker import latency
from app.worker.latency import LatencyLog


class Lists:
    """The list commands of Redis that the log uses."""

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {}

    def register_script(self, _source: str) -> Callable[..., Awaitable[None]]:
        """The one that records a run time."""

        async def record(keys: list[str], args: list[Any]) -> None:
            assert args[:2] == ["", "LPUSH"]
            self.lists.setdefault(keys[0], []).insert(0, args[2])

        return record

    async def ltrim(self, key: str, start: int, end: int) -> None:
        self.lists[key] = self.lists[key][start : end + 1]

    async def lrange(self, key: str, start: int, end: int) -> list[str]:
        return self.lists.get(key, [])[start : end + 1]


def fal_request(age: float = 0.0, endpoint: str = "fal-ai/model") -> FalRequest:
    url = "https://queue.fal.example/fal-ai/model/requests/1"
    return FalRequest("1", url, url, url, endpoint, time.time() - age)


async def first_wait(log: LatencyLog, request: FalRequest) -> float:
    return await anext(log.waits(request, PollingConfig(jitter=0), Random(1)))


@pytest.fixture
def redis() -> Lists:
    return Lists()


def make_log(redis: Lists, aware: bool = True) -> LatencyLog:
    return LatencyLog(redis, aware=aware)  # type: ignore[arg-type]  # the few commands that it needs


async def test_the_first_look_waits_for_what_the_past_foretells(redis: Lists) -> None:
    log = make_log(redis)
    for _ in range(latency.NEEDED):
        await log.record(fal_request(age=60), 30.0)
    assert await first_wait(log, fal_request()) == pytest.approx(29.4, abs=0.5)
    assert await first_wait(log, fal_request(age=10)) == pytest.approx(19.4, abs=0.5)


async def test_as_long_as_little_is_known_the_schedule_is_the_plain_one(redis: Lists) -> None:
    log = make_log(redis)
    for _ in range(latency.NEEDED - 1):
        await log.record(fal_request(age=60), 30.0)
    assert await first_wait(log, fal_request()) == POLL_INTERVAL_INITIAL
    await log.record(fal_request(age=60), 30.0)
    assert await first_wait(log, fal_request(endpoint="fal-ai/other")) == POLL_INTERVAL_INITIAL


async def test_one_setting_switches_back_to_the_plain_schedule(redis: Lists) -> None:
    log = make_log(redis, aware=False)
    for _ in range(latency.NEEDED):
        await log.record(fal_request(age=60), 30.0)
    assert await first_wait(log, fal_request()) == POLL_INTERVAL_INITIAL


async def test_without_fals_own_figure_the_time_since_the_submit_counts(redis: Lists) -> None:
    log = make_log(redis)
    for _ in range(latency.NEEDED):
        await log.record(fal_request(age=30), None)
    assert await first_wait(log, fal_request()) == pytest.approx(29.4, abs=0.5)


async def test_only_the_latest_run_times_are_kept(redis: Lists) -> None:
    log = make_log(redis)
    for took in (5.0, 30.0):
        for _ in range(latency.KEPT):
            await log.record(fal_request(age=60), took)
    assert await first_wait(log, fal_request()) > 25


@pytest.mark.parametrize("said", [float("inf"), 1e9, 3600.0])
async def test_no_run_time_that_fal_names_keeps_us_from_looking(redis: Lists, said: float) -> None:
    log = make_log(redis)
    for _ in range(latency.NEEDED):
        await log.record(fal_request(age=30), said)
    assert await first_wait(log, fal_request()) < 31


async def test_what_is_no_run_time_does_not_count(redis: Lists) -> None:
    redis.lists[redis_keys.latency("fal-ai/model")] = ["inf", "nan", "-1.00", "1e99", "x"] * latency.NEEDED
    assert await first_wait(make_log(redis), fal_request()) == POLL_INTERVAL_INITIAL
