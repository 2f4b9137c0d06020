"""Telegram's limits, kept by all instances together."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from aiogram.methods import AnswerCallbackQuery, SendMessage
from redis.asyncio import Redis
from teremok import MockBot

from app.bot.delivery.pacing import Pacing
from app.bot.telegram import EditStatus
from tests.support.redis_server import RedisServer


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each message had to wait; nobody really does."""
    waited: list[float] = []

    async def at_once(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", at_once)
    return waited


def instance(redis: Redis, per_second: float = 20.0) -> MockBot:
    bot = MockBot()
    bot.session.middleware(Pacing(redis, per_second))
    return bot


async def test_all_instances_share_one_budget(redis: Redis, waits: list[float]) -> None:
    bots = [instance(redis, per_second=0.5), instance(redis, per_second=0.5)]
    for chat in range(1, 8):
        await bots[chat % 2](SendMessage(chat_id=chat, text="hi"))
    assert waits == pytest.approx([0, 1.5, 3.5, 5.5, 7.5, 9.5, 11.5], abs=0.5)


async def test_one_chat_gets_a_few_at_once_and_then_one_a_second(redis: Redis, waits: list[float]) -> None:
    bot = instance(redis)
    for _ in range(7):
        await bot(SendMessage(chat_id=7, text="hi"))
    assert waits == pytest.approx([0, 0, 0, 0, 1, 2, 3], abs=0.5)
    await bot(SendMessage(chat_id=8, text="hi"))
    assert waits[-1] == 0.0


async def test_answers_to_buttons_cost_nothing(redis: Redis, waits: list[float]) -> None:
    bot = instance(redis)
    for _ in range(50):
        await bot(AnswerCallbackQuery(callback_query_id="1"))
    assert waits == []


async def test_what_can_wait_leaves_room_for_what_can_not(redis: Redis, waits: list[float]) -> None:
    budget, bot = Pacing(redis, 20.0), instance(redis)
    chats = itertools.count(1)
    while await budget.spare(next(chats)) == 0:
        pass
    await bot(SendMessage(chat_id=99, text="here is your picture"))
    assert waits == [0.0]


async def test_what_can_wait_is_not_repeated_by_the_middleware(redis: Redis, waits: list[float]) -> None:
    await instance(redis)(EditStatus(chat_id=7, message_id=1, text="Drawing…"))
    assert waits == []


async def test_what_has_no_turn_takes_none(redis: Redis) -> None:
    budget = Pacing(redis, 20.0)
    while await budget.spare(7) == 0:
        pass
    waits = [await budget.spare(7) for _ in range(5)]
    assert waits == sorted(waits, reverse=True)


async def test_without_redis_it_goes_unpaced(waits: list[float], caplog: pytest.LogCaptureFixture) -> None:
    async with Redis(port=1) as nowhere:
        bot = instance(nowhere)
        await bot(SendMessage(chat_id=7, text="hi"))
    assert len(bot.requests.send_message) == 1
    assert "goes unpaced" in caplog.text


async def test_many_at_once_all_get_through(redis: Redis) -> None:
    bot = instance(redis, per_second=500)
    await asyncio.gather(*(bot(SendMessage(chat_id=chat, text="hi")) for chat in range(1, 300)))
    assert len(bot.requests.send_message) == 299
