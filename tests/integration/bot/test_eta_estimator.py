"""How the queues look, with a real Redis."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from rq import Queue

from app.bot.delivery.eta import RUN_TIMES_NEEDED, EtaEstimator
from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.operations import Operation
from tests.support.redis_server import RedisServer


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


async def test_places_are_counted_over_all_queues_in_their_order(redis: Redis) -> None:
    for queue, ids in (("img_queue_low", ["c"]), ("img_queue", ["b1", "b2"]), ("img_queue_high", ["a"])):
        await redis.rpush(Queue.redis_queue_namespace_prefix + queue, *ids)
    await redis.zadd(redis_keys.leases("img_queue"), {"x:1": 1, "y:1": 1})
    queue_state = await EtaEstimator(redis, DEFAULT_ENDPOINTS, slots=2).look()
    assert queue_state.places == {"a": 1, "b1": 2, "b2": 3, "c": 4}
    assert queue_state.running == 2


async def test_a_few_run_times_foretell_nothing_and_one_that_hung_little(redis: Redis) -> None:
    key = redis_keys.latency(DEFAULT_ENDPOINTS[Operation.CREATE])
    estimator = EtaEstimator(redis, DEFAULT_ENDPOINTS, slots=2)
    await redis.rpush(key, *["20"] * (RUN_TIMES_NEEDED - 1))
    assert (await estimator.look()).run_times == {}
    await redis.rpush(key, "600")
    assert (await estimator.look()).run_times == {Operation.CREATE: 20.0}


async def test_one_look_serves_all_for_a_moment(redis: Redis) -> None:
    estimator = EtaEstimator(redis, DEFAULT_ENDPOINTS, slots=2)
    assert await estimator.recent() is await estimator.recent()
