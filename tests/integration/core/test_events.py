"""Reading events: each is handled by somebody, and by nobody too early."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.event_reader import EventReader
from app.bot.requests.admission import Admission
from app.bot.result_cache import Result
from app.core import redis_keys
from app.core.events import Event, EventType
from app.core.operations import Operation
from app.core.requests import ImageRequest
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


async def kept(redis: Redis) -> list[int]:
    """Numbers of the events that the stream holds after an instance has begun to read."""
    await read(EventReader(redis, "imagebot@3"))
    entries: Any = await redis.xrange(redis_keys.EVENTS)
    return [int(fields["request_id"][1:]) for _, fields in entries]


async def happened(redis: Redis, ago: int) -> None:
    """A thousand things, one a millisecond, beginning so many seconds ago."""
    began = int((time.time() - ago) * 1000)
    for number in range(1000):
        await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": f"u{number}"}, id=f"{began + number}-0")


async def test_what_nobody_has_been_told_of_stays_however_old_it_is(redis: Redis) -> None:
    reader, _ = await readers(redis)
    await happened(redis, ago=30 * 24 * 3600)
    in_hand = [event async for event in reader.read(count=800, block=0.1)]
    late = in_hand.pop(400)
    for event in in_hand:
        await reader.acknowledge(event)
    left = await kept(redis)
    assert 0 < left[0] <= 400
    assert left == list(range(left[0], 1000))
    await reader.acknowledge(late)
    left = await kept(redis)
    assert 400 < left[0] <= 800  # nobody has acknowledged those from there on
    assert left == list(range(left[0], 1000))


async def test_what_was_told_of_stays_for_an_hour_for_the_admins_figures(redis: Redis) -> None:
    reader, _ = await readers(redis)
    await happened(redis, ago=3000)
    async for event in reader.read(count=1000, block=0.1):
        await reader.acknowledge(event)
    assert await kept(redis) == list(range(1000))


async def test_however_much_happens_what_was_not_told_is_not_crowded_out(redis: Redis) -> None:
    reader, _ = await readers(redis)
    await happened(redis, ago=3000)
    await read(reader)
    async with redis.pipeline(transaction=False) as pipeline:
        for _ in range(110_000):
            pipeline.xadd(redis_keys.EVENTS, {"type": "started", "request_id": "u1000"})
        await pipeline.execute()
    await Admission(redis).admit(
        ImageRequest("u1001", 7, 7, "en", Operation.CREATE, "a fox"), known=Result(("fox.jpg",), ())
    )
    assert (await kept(redis))[0] == 0


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
