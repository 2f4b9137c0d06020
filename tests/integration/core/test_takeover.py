"""Entries of a stream change hands when their consumer is dead, not when Redis stood still."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.bot.takeover import TakeOver

STREAM, GROUP = "imagebot:test", "readers"
IDLE, WITHIN = 0.1, 2.0


@pytest.fixture
async def entry(redis: Redis) -> str:
    """An entry that the consumer `first` has, and leaves alone."""
    await redis.xgroup_create(STREAM, GROUP, "0", mkstream=True)
    added = str(await redis.xadd(STREAM, {"a": "1"}))
    await redis.xreadgroup(GROUP, "first", {STREAM: ">"})
    await asyncio.sleep(2 * IDLE)
    return added


async def now(redis: Redis) -> float:
    seconds, microseconds = await redis.time()
    return float(seconds + microseconds / 1e6)


async def test_what_is_idle_is_taken_over(redis: Redis, entry: str) -> None:
    other = TakeOver(redis, STREAM, GROUP, "second")
    assert await other.take(IDLE, await now(redis), WITHIN) == [(entry, {"a": "1"})]


@pytest.mark.parametrize("answered_ago", [10 * WITHIN, -10 * WITHIN], ids=["a stall", "a clock set back"])
async def test_nothing_is_when_redis_runs_the_command_long_after_its_last_answer(
    redis: Redis, entry: str, answered_ago: float
) -> None:
    other = TakeOver(redis, STREAM, GROUP, "second")
    assert await other.take(IDLE, await now(redis) - answered_ago, WITHIN) == []


async def test_a_step_of_redis_clock_takes_nothing_from_the_living_and_keeps_nothing_of_the_dead(
    redis: Redis, entry: str
) -> None:
    ours = 1000.0
    other = TakeOver(redis, STREAM, GROUP, "second", clock=lambda: ours)
    assert await other.take(60, await now(redis), WITHIN) == []
    ours -= 14  # for us it is as if Redis' clock had stepped ahead
    assert await other.take(IDLE, await now(redis), WITHIN) == []
    assert await other.take(IDLE, await now(redis), WITHIN) == []
    ours += IDLE  # the living have had time to show that they live
    assert await other.take(IDLE, await now(redis), WITHIN) == [(entry, {"a": "1"})]
