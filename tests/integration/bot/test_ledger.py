"""The ledger and the delivery, with a real Redis and a played Telegram."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiogram.methods import SendDocument, SendMessage, SendPhoto
from redis.asyncio import Redis
from teremok import MockBot

from app.bot import conversations
from app.bot.conversations import ENDED, HELD, Conversations
from app.bot.delivery import ATTEMPTS, Delivery
from app.bot.lanes import Lanes
from app.bot.texts import Texts
from app.core import redis_keys
from app.core.admission import Admission
from app.core.events import Event, EventReader, EventType
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestStore
from tests.integration.bot.harness import RedisServer, Worker, picture, wait_until

REQUEST = ImageRequest("u1", user_id=7, chat_id=7, locale="en", operation=Operation.CREATE, prompt="a fox")
DONE = Event("1-0", EventType.DONE, REQUEST.id)


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def ledger(redis: Redis) -> Conversations:
    return Conversations(redis)


def _run_out(server: RedisServer) -> None:
    server.client.hset(redis_keys.conversation("u1"), "held_until", "0")


def _held_until(server: RedisServer) -> object:
    return server.client.hget(redis_keys.conversation("u1"), "held_until")


async def test_one_sender_at_a_time_and_none_after_the_end(ledger: Conversations) -> None:
    assert await ledger.claim("u1", "imagebot@1") == 1
    assert await ledger.claim("u1", "imagebot@2") == HELD
    assert await ledger.claim("u1", "imagebot@1") == 2  # it was restarted, and goes on
    await ledger.end("u1")
    assert await ledger.claim("u1", "imagebot@1") == ENDED
    assert await ledger.claim("u1", "imagebot@2") == ENDED


async def test_the_claim_of_a_dead_sender_runs_out(ledger: Conversations, queue_server: RedisServer) -> None:
    await ledger.claim("u1", "imagebot@1")
    _run_out(queue_server)
    assert await ledger.claim("u1", "imagebot@2") == 2


async def test_a_held_claim_is_renewed_and_counts_as_one_attempt(
    ledger: Conversations, queue_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.claim("u1", "imagebot@1")
    _run_out(queue_server)
    monkeypatch.setattr(conversations, "HOLD", 0.3)
    async with ledger.hold("u1", "imagebot@1"):
        await asyncio.to_thread(wait_until, lambda: _held_until(queue_server) != "0", "the claim is renewed")
    assert await ledger.claim("u1", "imagebot@1") == 2


async def test_a_status_message_slower_than_the_answer_is_noticed(ledger: Conversations) -> None:
    await ledger.begin("u1", 3)
    assert await ledger.status_sent("u1", 4)
    await ledger.end("u1")
    assert not await ledger.status_sent("u1", 5)


@dataclass
class Desk:
    """A delivery with its surroundings."""

    bot: MockBot
    delivery: Delivery
    requests: RequestStore
    draw: Callable[[bytes], None]
    media: Path

    def sent(self) -> list[type]:
        return [type(method) for method in self.bot.requests.all]


@pytest.fixture
async def desk(redis: Redis, ledger: Conversations, queue_server: RedisServer, tmp_path: Path) -> Desk:
    bot, requests, url = MockBot(), RequestStore(redis), f"file://{tmp_path}"
    delivery = Delivery(
        bot, EventReader(redis, "imagebot@1"), requests, ledger, MediaStore(url), Texts(), "imagebot@1", Lanes(5)
    )
    await Admission(redis).admit(REQUEST)
    await ledger.begin(REQUEST.id, 3)
    worker = Worker(queue_server, url)
    return Desk(bot, delivery, requests, lambda data: worker.draw(REQUEST.id, data), tmp_path)


async def _draw(desk: Desk, data: bytes) -> None:
    await asyncio.to_thread(desk.draw, data)


async def test_the_same_event_again_sends_nothing(desk: Desk) -> None:
    await _draw(desk, picture())
    assert await desk.delivery.handle(DONE)
    assert await desk.delivery.handle(DONE)
    assert desk.sent() == [SendPhoto]


async def test_what_another_instance_is_sending_is_left_to_it(desk: Desk, ledger: Conversations) -> None:
    await _draw(desk, picture())
    await ledger.claim(REQUEST.id, "imagebot@2")
    assert not await desk.delivery.handle(DONE)
    assert desk.sent() == []


async def test_a_picture_that_stays_missing_is_told_after_a_few_attempts(desk: Desk) -> None:
    await _draw(desk, picture())
    (desk.media / f"{REQUEST.id}.jpg").unlink()
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(FileNotFoundError):
            await desk.delivery.handle(DONE)
    assert desk.sent() == []
    assert await desk.delivery.handle(DONE)
    assert desk.sent() == [SendMessage]


async def test_a_photo_that_telegram_can_not_read_goes_as_a_document(desk: Desk) -> None:
    await _draw(desk, picture())
    desk.bot.add_result(SendPhoto, ok=False, description="Bad Request: IMAGE_PROCESS_FAILED")
    assert await desk.delivery.handle(DONE)
    assert desk.sent() == [SendPhoto, SendDocument]


async def test_nobody_there_ends_the_matter(desk: Desk) -> None:
    await _draw(desk, picture())
    desk.bot.add_result(SendPhoto, ok=False, error_code=403, description="Forbidden: bot was blocked by the user")
    assert await desk.delivery.handle(DONE)
    assert await desk.delivery.handle(DONE)
    assert desk.sent() == [SendPhoto]


async def test_an_event_of_a_forgotten_request_is_settled(desk: Desk) -> None:
    assert await desk.delivery.handle(Event("2-0", EventType.DONE, "u999"))
    assert desk.sent() == []
