"""Jobs in their queues, while Redis has no room for more."""

from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from app.core import queues
from tests.support.redis_server import RedisServer


async def test_a_cancelled_job_leaves_its_queue_while_memory_is_full(
    redis: Redis, redis_process: RedisServer
) -> None:
    connection = BlockingRedis.from_url(redis_process.url)
    assert queues.enqueue(connection, "r")
    await redis.config_set("maxmemory", "1mb")
    try:
        queues.stop(connection, "r")
    finally:
        await redis.config_set("maxmemory", "0")
        connection.close()
    assert await redis.llen(f"rq:queue:{queues.QUEUE}") == 0
    assert not await redis.exists("rq:job:r")
