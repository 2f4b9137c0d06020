"""A restart of the queue's Redis, set up by the role, keeps everything that our scripts and RQ have written."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.bot.keyed_executor import KeyedExecutor
from app.bot.requests.admission import Admission
from app.bot.updates.inbox import Inbox, RawUpdate
from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, Lease, RequestStore
from app.worker.leases import Leases
from tests.support import shipped
from tests.support.redis_server import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis")
    yield server
    server.assert_nothing_was_denied()
    server.stop()


def content(redis: Redis, key: bytes) -> Any:
    """What a key holds, whatever its type."""
    match redis.type(key):
        case b"string":
            return redis.get(key)
        case b"hash":
            return redis.hgetall(key)
        case b"list":
            return redis.lrange(key, 0, -1)
        case b"set":
            return redis.smembers(key)
        case b"zset":
            return redis.zrange(key, 0, -1, withscores=True)
        case b"stream":
            groups = [(group["name"], group["last-delivered-id"]) for group in redis.xinfo_groups(key)]
            return redis.xrange(key), groups
        case other:
            raise AssertionError(f"{key!r} is a {other!r}")


def everything(server: RedisServer) -> dict[str, Any]:
    """All keys, what they hold, and when they expire (Unix ms)."""
    with Redis.from_url(server.url) as redis:
        keys = cast(list[bytes], redis.keys("*"))
        return {key.decode(): (content(redis, key), redis.pexpiretime(key)) for key in keys}


def wish(number: int) -> ImageRequest:
    return ImageRequest(f"u{number}", number, number, "en", Operation.CREATE, prompt=f"fox {number}")


async def admit(redis: AsyncRedis, rq: Redis) -> None:
    """Six requests of six people are in the queue."""
    for number in range(1, 7):
        assert await Admission(redis).admit(wish(number))
        assert await asyncio.to_thread(queues.enqueue, rq, f"u{number}")


async def work(redis: AsyncRedis, bytes_redis: AsyncRedis) -> None:
    """A worker claims four; one is submitted, one done, one failed, one cancelled."""
    leases = Leases(bytes_redis, "imageworker@1", queues.QUEUES, 60.0)
    _, claims = await leases.claim(4, 40, 1)
    assert len(claims) == 4
    store = RequestStore(redis)
    for claim in claims[:2]:
        lease = Lease(redis_keys.leases(claim.queue), claim.composite)
        await store.begin_submit(claim.job_id, lease, 1)
        await store.mark_submitted(claim.job_id, FalRequest("f", "s", "r", "c", "e", time.time()))
    last = Lease(redis_keys.leases(claims[1].queue), claims[1].composite)
    await store.mark_stored(claims[1].job_id, last, (f"{claims[1].job_id}.jpg",))
    await store.mark_done(claims[1].job_id, last)
    await store.fail(claims[2].job_id, FailureReason.INTERNAL)
    await store.cancel(claims[3].job_id)


async def receive(redis: AsyncRedis) -> None:
    """Updates lie in the inbox."""

    async def handle(_update: RawUpdate) -> None:
        raise AssertionError("nobody reads here")

    inbox = Inbox(redis, "imagebot@1", handle, KeyedExecutor(1), KeyedExecutor(1))
    await inbox.receive([{"update_id": number, "message": {"chat": {"id": 7}}} for number in range(5)])


async def fill(server: RedisServer) -> None:
    """Do what bot and worker do, each as its own user."""
    bot, worker = shipped.url(server.port, "bot"), shipped.url(server.port, "worker")
    async with (
        AsyncRedis.from_url(bot, decode_responses=True) as bots,
        AsyncRedis.from_url(worker, decode_responses=True) as workers,
        AsyncRedis.from_url(worker) as bytes_of_workers,
    ):
        with Redis.from_url(bot) as rq:
            await admit(bots, rq)
        await work(workers, bytes_of_workers)
        await receive(bots)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
async def test_it_keeps_every_key(server: RedisServer, number: int) -> None:
    await fill(server)
    before = everything(server)
    kinds = {key.split(":")[1] for key in before}
    assert {"request", "leases", "events", "inbox", "job", "queue"} <= kinds
    server.kill(number)
    server.start()
    assert everything(server) == before
