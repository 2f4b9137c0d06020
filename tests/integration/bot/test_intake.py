"""Orders are taken, or refused, in a real Redis that fills up meanwhile."""

from collections.abc import AsyncIterator
from typing import Any, cast
from unittest.mock import patch

import pytest
from aiogram.methods import SendMessage
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError
from teremok import MockBot

from app.bot.answers.conversations import Conversations
from app.bot.orders.intake import Intake, Order, Origin
from app.bot.orders.room import Room
from app.bot.people.alerts import Alert
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Voice
from app.core import queues, redis_keys
from app.core.operations import Operation
from app.core.rate_limit import RateLimiter
from app.core.requests import RequestStore
from app.core.result_cache import ResultCache
from tests.integration.bot.desk import Board, Told
from tests.integration.bot.harness import TOKEN
from tests.support.redis_server import RedisServer

ORDER, ORIGIN, VOICE = Order(Operation.CREATE, "a fox"), Origin("u1", 7, 7, 3), Voice(Texts(), "en")


class Shown(Board):
    """Shows nothing, and remembers what it was to show."""

    async def begin(self, request: Any, voice: Voice) -> None:
        self.told.append(("begun", request.id))


@pytest.fixture
async def intake(queue_server: RedisServer, cache_server: RedisServer) -> AsyncIterator[Intake]:
    queue_server.client.flushall()
    cache_server.client.flushall()
    async with (
        Redis.from_url(queue_server.url, decode_responses=True) as redis,
        Redis.from_url(cache_server.url, decode_responses=True) as cache,
    ):
        with BlockingRedis.from_url(queue_server.url) as rq:
            yield Intake(
                MockBot(), redis, rq, RequestStore(redis), Conversations(redis), RateLimiter(cache_server.url),
                ResultCache(cache), Shown(), BotSettings(telegram_token=TOKEN), Told(), Room(redis, fresh=0),
            )  # fmt: skip


def waiting(queue_server: RedisServer) -> list[str]:
    return queue_server.client.lrange(f"rq:queue:{queues.QUEUE}", 0, -1)  # type: ignore[return-value]  # not async


async def test_an_order_is_queued_once_however_often_its_update_is_handled(
    intake: Intake, queue_server: RedisServer
) -> None:
    assert await intake(ORDER, ORIGIN, VOICE)
    assert await intake(ORDER, ORIGIN, VOICE)
    assert waiting(queue_server) == ["u1"]


async def test_a_redis_that_fills_up_between_record_and_queue_leaves_no_request_behind(
    intake: Intake, queue_server: RedisServer
) -> None:
    full = OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
    with patch.object(queues, "enqueue", side_effect=full), pytest.raises(RedisError) as raised:
        await intake(ORDER, ORIGIN, VOICE)
    assert not isinstance(raised.value, OutOfMemoryError)  # that would be told, and the update be done with
    assert waiting(queue_server) == []
    assert await intake(ORDER, ORIGIN, VOICE)  # the update is handled again
    assert waiting(queue_server) == ["u1"]


async def test_a_full_redis_takes_nothing_from_a_request_that_was_taken_before(
    intake: Intake, queue_server: RedisServer
) -> None:
    assert await intake(ORDER, ORIGIN, VOICE)
    await intake.conversations.end("u1")
    queue_server.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(RedisError, match="Redis is full"):
            await intake(ORDER, ORIGIN, VOICE)
    finally:
        queue_server.client.config_set("maxmemory", "0")
    assert waiting(queue_server) == ["u1"]
    assert queue_server.client.hexists(redis_keys.conversation("u1"), "ended")


async def test_nothing_new_is_begun_while_memory_is_nearly_full_and_what_was_taken_goes_on(
    intake: Intake, queue_server: RedisServer
) -> None:
    assert await intake(ORDER, ORIGIN, VOICE)
    used = int(queue_server.client.info("memory")["used_memory"])
    queue_server.client.config_set("maxmemory", str(int(used / 0.9)))
    try:
        before = queue_server.client.dbsize()
        assert not await intake(ORDER, Origin("u2", 8, 8, 4), VOICE)
        assert await intake.batch([ORDER, ORDER], Origin("u3", 9, 9, 5), VOICE) == 0
        assert await intake(ORDER, ORIGIN, VOICE)  # its update is handled again
        assert queue_server.client.dbsize() == before
    finally:
        queue_server.client.config_set("maxmemory", "0")
    bot, alerts = cast(MockBot, intake.bot), cast(Told, intake.alerts)
    said = [method.text for method in bot.requests.all if isinstance(method, SendMessage)]
    assert said == [VOICE("refused-full")] * 2
    assert set(alerts.told) == {Alert.NO_ROOM}
    assert await intake(ORDER, Origin("u2", 8, 8, 4), VOICE)


async def test_a_list_takes_as_many_turns_as_it_is_long(intake: Intake) -> None:
    assert await intake.batch([Order(Operation.CREATE, f"fox {n}") for n in range(8)], ORIGIN, VOICE) == 8
    results = [await intake(Order(Operation.CREATE, f"owl {n}"), Origin(f"u{n}", 7, 7, n), VOICE) for n in (2, 3, 4)]
    assert results == [True, True, False]
