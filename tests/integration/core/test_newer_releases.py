"""Two releases side by side (a deploy, a rollback): what the newer one writes, the older one can read."""

import json
import time
from dataclasses import asdict

import pytest
from redis.asyncio import Redis

from app.bot.requests.admission import Admission
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, RequestRecord, RequestState, RequestStore

WISH = ImageRequest("u1", 7, 7, "en", Operation.CREATE, "a fox")


@pytest.fixture
async def store(redis: Redis) -> RequestStore:
    await Admission(redis).admit(WISH)
    return RequestStore(redis)


async def _with(redis: Redis, store: RequestStore, **fields: str) -> RequestRecord:
    for name, value in fields.items():
        await redis.hset(redis_keys.request("u1"), name, value)
    record = await store.load("u1")
    assert record
    return record


async def test_fields_that_are_not_known_are_left_out(redis: Redis, store: RequestStore) -> None:
    fal = FalRequest("f", "s", "r", "c", "e", time.time())
    record = await _with(
        redis, store, mood="sunny",
        request=json.dumps({**asdict(WISH), "mood": "sunny"}), fal=json.dumps({**asdict(fal), "mood": "sunny"}),
    )  # fmt: skip
    assert (record.request, record.fal, record.state) == (WISH, fal, RequestState.QUEUED)


async def test_a_reason_that_is_not_known_is_told_as_internal(redis: Redis, store: RequestStore) -> None:
    assert (await _with(redis, store, state="failed", reason="mercury-retrograde")).reason is FailureReason.INTERNAL
    assert (await _with(redis, store, reason="policy")).reason is FailureReason.POLICY


async def test_names_of_sent_pictures_are_kept_while_memory_is_full(redis: Redis, store: RequestStore) -> None:
    await redis.config_set("maxmemory", "1mb")
    try:
        await store.mark_sent("u1", ("photo-1",))
        await store.mark_sent("u404", ("photo-1",))
    finally:
        await redis.config_set("maxmemory", "0")
    assert (await _with(redis, store)).file_ids == ("photo-1",)
    assert not await redis.exists(redis_keys.request("u404")), "it would stay for ever"
