"""What all integration tests share: a real Redis, emptied before each test, and a stack of real processes."""

from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from tests.stack.stack import Stack
from tests.support import shipped
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis server for the tests that do not stop it."""
    process = RedisServer(tmp_path_factory.mktemp("redis"))
    yield process
    process.assert_nothing_was_denied()
    process.stop()


@pytest.fixture
async def redis(redis_process: RedisServer) -> AsyncIterator[Redis]:
    """A client that answers text, of an empty Redis."""
    async with Redis.from_url(redis_process.url, decode_responses=True) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack without the bot: quick jobs, and workers that look at them often."""
    stack = Stack(
        tmp_path_factory.mktemp("stack"),
        bot=False,
        environment=shipped.QUICK,
        fal_arguments=("--median", "2", "--p95", "4", "--picture-side", "256"),
    )
    with stack.running():
        yield stack
        assert stack.denials() == []
