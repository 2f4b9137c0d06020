"""A name that was given up stays free, whatever was under way."""

import asyncio

import pytest
from redis.asyncio import Redis

from app.core import redis_keys
from app.core.redis_lock import RedisLock
from app.worker.name_claim import NameClaim

NAME = "imageworker@1"


async def test_a_renewal_that_is_under_way_does_not_outlive_the_release(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = NameClaim(redis, NAME, 10)
    await claim.take()
    acquire, on_its_way, may_go_on = RedisLock.acquire, asyncio.Event(), asyncio.Event()

    async def slow_acquire(lock: RedisLock, *, instead_of: str = "") -> str:
        on_its_way.set()
        await may_go_on.wait()
        return await acquire(lock, instead_of=instead_of)

    monkeypatch.setattr(RedisLock, "acquire", slow_acquire)
    renewal = asyncio.create_task(claim.renew())
    await on_its_way.wait()
    release = asyncio.create_task(claim.release())
    await asyncio.sleep(0.05)
    may_go_on.set()
    await asyncio.gather(renewal, release)
    assert not await redis.exists(redis_keys.worker_name(NAME))


async def test_what_was_given_up_is_not_renewed(redis: Redis) -> None:
    claim = NameClaim(redis, NAME, 10)
    await claim.take()
    await claim.release()
    await claim.renew()
    assert not await redis.exists(redis_keys.worker_name(NAME))
