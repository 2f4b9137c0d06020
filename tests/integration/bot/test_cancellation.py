"""Cancelling, with a real Redis and RQ."""

from collections.abc import AsyncIterator

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from app.bot.orders.cancellation import Cancellation, Cancelled
from app.core import queues
from app.core.admission import Admission
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestState, RequestStore
from tests.support.redis_server import RedisServer

ANNA, BORIS = 7, 8


class Hall:
    """Requests in the queue, and the one who cancels them."""

    def __init__(self, redis: Redis, rq: BlockingRedis) -> None:
        self.redis, self.rq = redis, rq
        self.requests = RequestStore(redis)
        self.cancel = Cancellation(self.requests, rq)

    async def queue(self, request_id: str, user_id: int, cache_key: str = "") -> None:
        """Take a request on, and queue it if nobody else makes the same."""
        request = ImageRequest(request_id, user_id, user_id, "en", Operation.CREATE, "a fox", cache_key=cache_key)
        if (await Admission(self.redis).admit(request)).to_queue:
            queues.enqueue(self.rq, request_id)

    async def queued(self) -> list[str]:
        """What waits in the queue."""
        return [str(request_id) for request_id in await self.redis.lrange("rq:queue:img_queue", 0, -1)]

    async def state(self, request_id: str) -> RequestState:
        """Where a request stands."""
        record = await self.requests.load(request_id)
        assert record
        return record.state


@pytest.fixture
async def hall(queue_server: RedisServer) -> AsyncIterator[Hall]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as redis:
        with BlockingRedis.from_url(queue_server.url) as rq:
            yield Hall(redis, rq)


async def test_a_cancelled_request_leaves_the_queue(hall: Hall) -> None:
    await hall.queue("u1", ANNA)
    await hall.queue("u2", ANNA)
    assert await hall.cancel("u1", ANNA) is Cancelled.DONE
    assert await hall.queued() == ["u2"]
    assert await hall.state("u1") is RequestState.CANCELLED


async def test_a_wish_that_is_handled_twice_comes_to_the_same(hall: Hall) -> None:
    await hall.queue("u1", ANNA)
    await hall.requests.cancel("u1")  # and then whoever handled it died
    assert await hall.queued() == ["u1"]
    assert await hall.cancel("u1", ANNA) is Cancelled.DONE
    assert await hall.cancel("u1", ANNA) is Cancelled.DONE
    assert await hall.queued() == []


async def test_another_s_request_is_left_alone(hall: Hall) -> None:
    await hall.queue("u1", ANNA)
    assert await hall.cancel("u1", BORIS) is Cancelled.NOT_THEIRS
    assert await hall.cancel("u404", BORIS) is Cancelled.NOT_THEIRS
    assert await hall.queued() == ["u1"]


async def test_who_waits_for_the_same_picture_goes_on_waiting(hall: Hall) -> None:
    await hall.queue("u1", ANNA, cache_key="fox")
    await hall.queue("u2", BORIS, cache_key="fox")
    assert await hall.cancel("u2", BORIS) is Cancelled.DONE
    assert await hall.queued() == ["u1"]
    assert await hall.state("u1") is RequestState.QUEUED


async def test_what_has_ended_is_too_late(hall: Hall) -> None:
    await hall.queue("u1", ANNA)
    await hall.redis.hset("imagebot:request:u1", "state", "done")
    assert await hall.cancel("u1", ANNA) is Cancelled.TOO_LATE


async def test_all_of_one_person_s_are_cancelled_together(hall: Hall) -> None:
    for request_id, user_id in (("u1", ANNA), ("u2", BORIS), ("u3", ANNA)):
        await hall.queue(request_id, user_id)
    assert await hall.cancel.all(ANNA) == 2
    assert await hall.cancel.all(ANNA) == 0
    assert await hall.queued() == ["u2"]
