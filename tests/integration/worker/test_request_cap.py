"""The cap on requests a second, for all workers together."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.worker.request_cap import RequestCap


async def test_requests_are_spaced_after_a_burst(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What 200 requests of four workers are told to wait, all asking at once, at 50 a second."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    caps = [RequestCap(redis, 50) for _ in range(4)]
    monkeypatch.setattr(asyncio, "sleep", sleep)
    began = await redis.time()
    for number in range(200):
        await caps[number % 4].wait()
    ended = await redis.time()
    passed = ended[0] - began[0] + (ended[1] - began[1]) / 1e6
    at_once = 200 - len(waits)
    assert 25 <= at_once <= 26 + 50 * passed  # half a second's worth, and what became due meanwhile
    assert abs(max(waits) - (200 - 25) / 50) <= passed + 0.04


async def test_the_cap_forgets_itself(redis: Redis) -> None:
    await RequestCap(redis, 1000).wait()
    [key] = await redis.keys("*")
    assert 0 < await redis.ttl(key) <= 60
