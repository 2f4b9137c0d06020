"""RequestStatus by, with a Redis that stalls: nobody works whose lock may have run out."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from app.bot.tasks import end
from app.bot.updates import standby as module
from app.bot.updates.standby import Standby
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may stop."""
    server = RedisServer(tmp_path)
    yield server
    server.kill()


async def until(true: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)


async def test_who_holds_the_lock_stops_working_while_redis_does_not_answer(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE", 2.0)
    at_work: list[bool] = []

    async def work() -> None:
        at_work.append(True)
        try:
            await asyncio.Event().wait()
        finally:
            at_work.append(False)

    async with Redis.from_url(server.url, decode_responses=True) as redis:
        task = asyncio.create_task(Standby(redis, "imagebot:lock", "imagebot@1").run(work, lambda _: None))
        try:
            await until(lambda: at_work == [True], "it works")
            server.kill(signal.SIGSTOP)
            await until(lambda: at_work == [True, False], "it has stopped")
            server.kill(signal.SIGCONT)
            await until(lambda: at_work == [True, False, True], "it works again")
        finally:
            server.kill(signal.SIGCONT)
            await end([task])
