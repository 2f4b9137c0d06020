"""What all integration tests share: a real Redis, emptied before each test, and a stack of real processes."""

import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.integration.redis_process import RedisProcess
from tests.stack.stack import Stack


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis server for the tests that do not stop it."""
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    yield process
    process.kill(signal.SIGTERM)


@pytest.fixture
async def redis(redis_process: RedisProcess) -> AsyncIterator[Redis]:
    """A client that answers text, of an empty Redis."""
    async with Redis.from_url(redis_process.url, decode_responses=True) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack without the bot: quick jobs, and workers that look at them often."""
    quick = {
        "IMAGEBOT_POLL_INTERVAL_INITIAL": "0.2",
        "IMAGEBOT_POLL_INTERVAL_MAX": "1",
        "IMAGEBOT_SHUTDOWN_GRACE": "1",
    }
    stack = Stack(
        tmp_path_factory.mktemp("stack"),
        bot=False,
        environment=quick,
        fal_arguments=("--median", "2", "--p95", "4", "--picture-side", "256"),
    )
    with stack.running():
        yield stack
