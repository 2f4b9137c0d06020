"""Cancelling, with a real Redis and RQ."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now

from app.bot.requests.admission import Admission
from app.bot.requests.cancellation import Cancellation, Cancelled
from app.core import queues
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestState, RequestStore
from tests.support.redis_server import RedisServer

ANNA, BORIS = 7, 8


class Harness:
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

    async def schedule(self, request_id: str) -> None:
        """Let a job wait for its repetition, as RQ does after a failure."""
        job = Job.fetch(request_id, self.rq, JSONSerializer)
        queue = Queue(job.origin, connection=self.rq, serializer=JSONSerializer)
        queue.remove(request_id)
        job.set_status(JobStatus.SCHEDULED)
        queue.scheduled_job_registry.schedule(job, now() + timedelta(seconds=30))

    async def queued(self) -> list[str]:
        """What waits in the queue."""
        return [str(request_id) for request_id in await self.redis.lrange("rq:queue:img_queue", 0, -1)]

    async def state(self, request_id: str) -> RequestState:
        """Where a request stands."""
        record = await self.requests.load(request_id)
        assert record
        return record.state


@pytest.fixture
async def harness(queue_server: RedisServer) -> AsyncIterator[Harness]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as redis:
        with BlockingRedis.from_url(queue_server.url) as rq:
            yield Harness(redis, rq)


async def test_a_cancelled_request_leaves_the_queue(harness: Harness) -> None:
    await harness.queue("u1", ANNA)
    await harness.queue("u2", ANNA)
    assert await harness.cancel("u1", ANNA) is Cancelled.DONE
    assert await harness.queued() == ["u2"]
    assert await harness.state("u1") is RequestState.CANCELLED


async def test_a_wish_that_is_handled_twice_comes_to_the_same(harness: Harness) -> None:
    await harness.queue("u1", ANNA)
    await harness.requests.cancel("u1")  # and then whoever handled it died
    assert await harness.queued() == ["u1"]
    assert await harness.cancel("u1", ANNA) is Cancelled.DONE
    assert await harness.cancel("u1", ANNA) is Cancelled.DONE
    assert await harness.queued() == []


async def test_another_s_request_is_left_alone(harness: Harness) -> None:
    await harness.queue("u1", ANNA)
    assert await harness.cancel("u1", BORIS) is Cancelled.NOT_THEIRS
    assert await harness.cancel("u404", BORIS) is Cancelled.NOT_THEIRS
    assert await harness.queued() == ["u1"]


async def test_who_waits_for_the_same_picture_goes_on_waiting(harness: Harness) -> None:
    await harness.queue("u1", ANNA, cache_key="fox")
    await harness.queue("u2", BORIS, cache_key="fox")
    assert await harness.cancel("u2", BORIS) is Cancelled.DONE
    assert await harness.queued() == ["u1"]
    assert await harness.state("u1") is RequestState.QUEUED


async def test_what_has_ended_is_too_late(harness: Harness) -> None:
    await harness.queue("u1", ANNA)
    await harness.redis.hset("imagebot:request:u1", "state", "done")
    assert await harness.cancel("u1", ANNA) is Cancelled.TOO_LATE


async def test_all_of_one_person_s_are_cancelled_together(harness: Harness) -> None:
    for request_id, user_id in (("u1", ANNA), ("u2", BORIS), ("u3", ANNA)):
        await harness.queue(request_id, user_id)
    assert await harness.cancel.all(ANNA) == 2
    assert await harness.cancel.all(ANNA) == 0
    assert await harness.queued() == ["u2"]


async def test_jobs_of_cancelled_requests_leave_nothing_behind(harness: Harness) -> None:
    for number in range(50):
        request = ImageRequest(
            f"b-{number}", ANNA, ANNA, "en", Operation.CREATE, "a fox", batch="b", queue=queues.QUEUE_LOW
        )
        await Admission(harness.redis).admit(request)
        queues.enqueue(harness.rq, request.id, request.queue)
    await harness.schedule("b-48")
    assert await harness.cancel.all(ANNA) == 50
    assert await harness.redis.keys("rq:job:*") == []
    assert await harness.redis.keys("rq:canceled:*") == []
    assert [key for key in await harness.redis.keys("rq:*") if key != "rq:queues"] == []


async def test_a_job_that_is_just_being_moved_is_kept_for_a_while_only(harness: Harness) -> None:
    await harness.queue("u1", ANNA)
    await harness.redis.delete("rq:queue:img_queue")
    assert await harness.cancel("u1", ANNA) is Cancelled.DONE
    assert 0 < await harness.redis.ttl("rq:job:u1") <= queues.RESULT_TTL
