"""The ledger of what has been said, with a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.bot.delivery import ledger as ledger_module
from app.bot.delivery.ledger import ENDED, HELD, DeliveryLedger, LedgerEntry
from app.core import redis_keys
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def ledger(redis: Redis) -> DeliveryLedger:
    return DeliveryLedger(redis)


def _run_out(server: RedisServer) -> None:
    server.client.hset(redis_keys.ledger_entry("u1"), "held_until", "0")


def _held_until(server: RedisServer) -> object:
    return server.client.hget(redis_keys.ledger_entry("u1"), "held_until")


async def test_one_sender_at_a_time_and_none_after_the_end(ledger: DeliveryLedger) -> None:
    assert await ledger.claim("u1", "imagebot@1") == 1
    assert await ledger.claim("u1", "imagebot@2") == HELD
    assert await ledger.claim("u1", "imagebot@1") == 2  # it was restarted, and goes on
    await ledger.end("u1")
    assert await ledger.claim("u1", "imagebot@1") == ENDED
    assert await ledger.claim("u1", "imagebot@2") == ENDED


async def test_the_claim_of_a_dead_sender_runs_out(ledger: DeliveryLedger, queue_server: RedisServer) -> None:
    await ledger.claim("u1", "imagebot@1")
    _run_out(queue_server)
    assert await ledger.claim("u1", "imagebot@2") == 2


async def test_a_held_claim_is_renewed_and_counts_as_one_attempt(
    ledger: DeliveryLedger, queue_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.claim("u1", "imagebot@1")
    _run_out(queue_server)
    monkeypatch.setattr(ledger_module, "HOLD", 0.3)
    async with ledger.lock("u1", "imagebot@1", 1):
        await asyncio.to_thread(wait_until, lambda: _held_until(queue_server) != "0", "the claim is renewed")
    assert await ledger.claim("u1", "imagebot@1") == 2


async def test_what_was_sent_is_known_to_whoever_goes_on(ledger: DeliveryLedger) -> None:
    await ledger.begin("u1", 3)
    await ledger.pictures_sent("u1", ["photo-1", "photo-2"])
    assert await ledger.load("u1") == LedgerEntry(prompt_message_id=3, file_ids=("photo-1", "photo-2"))


async def test_the_name_of_a_file_is_kept_for_each_picture(ledger: DeliveryLedger) -> None:
    await ledger.file_sent("u1", 1, "document-1")
    assert [await ledger.file_of("u1", number) for number in (0, 1)] == ["", "document-1"]
