"""Reading events: each is handled by somebody, and by nobody too early."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core import redis_keys
from app.core.events import Event, EventReader, EventType
from tests.support.redis_server import RedisServer

CLAIM_AFTER = 1.0


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Redis]]:
    """A Redis that the test may kill."""
    process = RedisServer(tmp_path)
    async with Redis.from_url(process.url, decode_responses=True) as client:
        yield process, client
    process.kill()


async def read(reader: EventReader) -> list[Event]:
    return [event async for event in reader.read(block=0.1)]


async def readers(redis: Redis) -> tuple[EventReader, EventReader]:
    one, other = (EventReader(redis, name, claim_after=CLAIM_AFTER) for name in ("imagebot@1", "imagebot@2"))
    await one.open()
    return one, other


async def test_what_a_dead_instance_has_read_is_taken_over(redis: Redis) -> None:
    dead, living = await readers(redis)
    await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u1"})
    [event] = await read(dead)
    while not (taken := await read(living)):
        pass
    assert taken == [event]


async def test_nothing_counts_as_abandoned_right_after_an_outage(own: tuple[RedisServer, Redis]) -> None:
    server, redis = own
    busy, other = await readers(redis)
    await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u1"})
    [event] = await read(busy)
    assert await read(other) == []
    server.kill()
    with pytest.raises(RedisError):
        await read(other)
    await asyncio.sleep(2 * CLAIM_AFTER)  # by Redis' clock it is idle for long enough
    server.start()
    await redis.connection_pool.disconnect()
    assert await read(other) == []
    while not (taken := await read(other)):  # but it is, when nobody settles it after that
        pass
    assert taken == [event]


async def test_an_event_of_a_newer_release_is_acknowledged_and_logged(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    reader, _ = await readers(redis)
    await redis.xadd(redis_keys.EVENTS, {"type": "dreamt", "request_id": "u1"})
    await redis.xadd(redis_keys.EVENTS, {"whatever": "else"})
    await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u2", "more": "fields"})
    assert [(event.type, event.request_id) for event in await read(reader)] == [(EventType.DONE, "u2")]
    assert (await redis.xpending(redis_keys.EVENTS, redis_keys.EVENTS_GROUP))["pending"] == 1
    assert "dreamt" in caplog.text


async def test_a_command_that_waited_through_a_stall_of_redis_takes_nothing_over(
    own: tuple[RedisServer, Redis],
) -> None:
    server, redis = own
    busy, other = await readers(redis)
    await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u1"})
    [event] = await read(busy)
    server.kill(signal.SIGSTOP)
    reading = asyncio.create_task(read(other))
    await asyncio.sleep(2 * CLAIM_AFTER)  # by Redis' clock it is idle for long enough
    server.kill(signal.SIGCONT)
    assert await reading == []
    while not (taken := await read(other)):  # but it is, when nobody settles it after that
        pass
    assert taken == [event]
