"""Requests are taken, or refused, in a real Redis that fills up meanwhile."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from aiogram.methods import SendMessage
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError
from teremok import MockBot

from app.bot.delivery.ledger import DeliveryLedger
from app.bot.delivery.waiting import WaitingList
from app.bot.requests.needed_pictures import NeededPictures
from app.bot.requests.room import Room
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.result_cache import Result, ResultCache, cache_key
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.bot.users.alerts import Alert
from app.core import queues, redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.media import MediaStore
from app.core.media_retention import NEEDED
from app.core.operations import Operation
from app.core.rate_limit import RateLimiter
from app.core.requests import FalRequest, Lease, RequestState, RequestStore
from tests.integration.bot.delivery_harness import Board, Told
from tests.integration.bot.harness import TOKEN
from tests.support.redis_server import RedisServer

SPEC, TARGET, TRANSLATE = (
    RequestSpec(Operation.CREATE, "a fox"),
    ReplyTarget("u1", 7, 7, 3),
    Translator(Texts(), "en"),
)


class Shown(Board):
    """Shows nothing, and remembers what it was to show."""

    async def begin(self, request: Any, translate: Translator) -> None:
        self.told.append(("begun", request.id))


@pytest.fixture
async def submitter(
    queue_server: RedisServer, cache_server: RedisServer, tmp_path: Path
) -> AsyncIterator[RequestSubmitter]:
    queue_server.client.flushall()
    cache_server.client.flushall()
    async with (
        Redis.from_url(queue_server.url, decode_responses=True) as redis,
        Redis.from_url(cache_server.url, decode_responses=True) as cache,
    ):
        with BlockingRedis.from_url(queue_server.url) as rq:
            alerts = Told()
            yield RequestSubmitter(
                MockBot(), redis, rq, RequestStore(redis), DeliveryLedger(redis), RateLimiter(cache_server.url),
                ResultCache(cache), Shown(), BotSettings(telegram_token=TOKEN), alerts,
                Room(redis, fresh=0, alerts=alerts), MediaStore(f"file://{tmp_path}"),
            )  # fmt: skip


def waiting(queue_server: RedisServer) -> list[str]:
    return queue_server.client.lrange(f"rq:queue:{queues.QUEUE}", 0, -1)  # type: ignore[return-value]  # not async


async def test_an_order_is_queued_once_however_often_its_update_is_handled(
    submitter: RequestSubmitter, queue_server: RedisServer
) -> None:
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    assert waiting(queue_server) == ["u1"]


async def test_a_redis_that_fills_up_between_record_and_queue_leaves_no_request_behind(
    submitter: RequestSubmitter, queue_server: RedisServer
) -> None:
    full = OutOfMemoryError("command not allowed when used memory > 'maxmemory'")
    with patch.object(queues, "enqueue", side_effect=full), pytest.raises(RedisError) as raised:
        await submitter.submit(SPEC, TARGET, TRANSLATE)
    assert not isinstance(raised.value, OutOfMemoryError)  # that would be told, and the update be done with
    assert waiting(queue_server) == []
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)  # the update is handled again
    assert waiting(queue_server) == ["u1"]


async def test_a_full_redis_takes_nothing_from_a_request_that_was_taken_before(
    submitter: RequestSubmitter, queue_server: RedisServer
) -> None:
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    await submitter.ledger.end("u1")
    queue_server.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(RedisError, match="Redis is full"):
            await submitter.submit(SPEC, TARGET, TRANSLATE)
    finally:
        queue_server.client.config_set("maxmemory", "0")
    assert waiting(queue_server) == ["u1"]
    assert queue_server.client.hexists(redis_keys.ledger_entry("u1"), "ended")


async def test_nothing_new_is_begun_while_memory_is_nearly_full_and_what_was_taken_goes_on(
    submitter: RequestSubmitter, queue_server: RedisServer
) -> None:
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    used = int(queue_server.client.info("memory")["used_memory"])
    queue_server.client.config_set("maxmemory", str(int(used / 0.9)))
    try:
        before = queue_server.client.dbsize()
        assert not await submitter.submit(SPEC, ReplyTarget("u2", 8, 8, 4), TRANSLATE)
        assert await submitter.submit_batch([SPEC, SPEC], ReplyTarget("u3", 9, 9, 5), TRANSLATE) == 0
        assert await submitter.submit(SPEC, TARGET, TRANSLATE)  # its update is handled again
        assert queue_server.client.dbsize() == before
    finally:
        queue_server.client.config_set("maxmemory", "0")
    bot, alerts = cast(MockBot, submitter.bot), cast(Told, submitter.alerts)
    said = [method.text for method in bot.requests.all if isinstance(method, SendMessage)]
    assert said == [TRANSLATE("refused-no-room")] * 2
    assert set(alerts.told) == {Alert.NO_ROOM}
    assert await submitter.submit(SPEC, ReplyTarget("u2", 8, 8, 4), TRANSLATE)


async def test_a_list_takes_as_many_turns_as_it_is_long(submitter: RequestSubmitter) -> None:
    assert (
        await submitter.submit_batch([RequestSpec(Operation.CREATE, f"fox {n}") for n in range(8)], TARGET, TRANSLATE)
        == 8
    )
    results = [
        await submitter.submit(RequestSpec(Operation.CREATE, f"owl {n}"), ReplyTarget(f"u{n}", 7, 7, n), TRANSLATE)
        for n in (2, 3, 4)
    ]
    assert results == [True, True, False]


# -- pictures that are no longer kept -----------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_who_wants_something_of_a_picture_that_is_gone_is_asked_for_it_again(
    submitter: RequestSubmitter, queue_server: RedisServer, language: str
) -> None:
    translate = Translator(Texts(), language)
    assert not await submitter.submit(
        RequestSpec(Operation.UPSCALE, inputs=("inputs/aa/gone.jpg",)), TARGET, translate
    )
    [said] = cast(MockBot, submitter.bot).requests.all
    assert isinstance(said, SendMessage)
    assert said.text == translate("picture-gone")
    assert waiting(queue_server) == []


async def test_what_is_wanted_counts_as_new(submitter: RequestSubmitter, tmp_path: Path) -> None:
    key = "inputs/aa/kept.jpg"
    await submitter.media.put(key, b"picture")
    os.utime(tmp_path / key, (0, 0))
    assert await submitter.submit(RequestSpec(Operation.UPSCALE, inputs=(key,)), TARGET, TRANSLATE)
    assert (tmp_path / key).stat().st_mtime > 0


async def test_a_media_store_that_can_t_be_asked_refuses_nothing(submitter: RequestSubmitter, tmp_path: Path) -> None:
    (tmp_path / "inputs").write_text("in the way")
    assert await submitter.submit(RequestSpec(Operation.UPSCALE, inputs=("inputs/aa/kept.jpg",)), TARGET, TRANSLATE)


async def test_what_unanswered_requests_need_is_named_among_the_pictures(
    submitter: RequestSubmitter, tmp_path: Path, queue_server: RedisServer
) -> None:
    waiting_list = WaitingList(submitter.redis)
    needed = NeededPictures(submitter.redis, submitter.requests, waiting_list, submitter.media)
    await needed.write()
    assert (tmp_path / NEEDED).read_text() == ""
    await submitter.media.put("inputs/aa/one.jpg", b"picture")
    for number, operation in ((1, Operation.UPSCALE), (2, Operation.RETOUCH)):
        order = RequestSpec(operation, inputs=("inputs/aa/one.jpg",))
        assert await submitter.submit(order, ReplyTarget(f"u{number}", 7, 7, number), TRANSLATE)
    assert await submitter.submit(SPEC, ReplyTarget("u3", 7, 7, 3), TRANSLATE)
    queue_server.client.hset(redis_keys.request("u3"), "media", '["results/2026/01/02/u3-0.png"]')
    await needed.write()
    assert (tmp_path / NEEDED).read_text().split() == ["inputs/aa/one.jpg", "results/2026/01/02/u3-0.png"]

    async def knows_all() -> bool:
        return True

    await waiting_list.refresh(knows_all)
    for request_id in ("u1", "u2", "u3"):
        await submitter.requests.cancel(request_id)
    await needed.write()  # they have ended, and nobody has been told
    assert "inputs/aa/one.jpg" in (tmp_path / NEEDED).read_text()
    for request_id in ("u1", "u2", "u3"):
        await submitter.ledger.end(request_id)
    await waiting_list.refresh(knows_all)
    await needed.write()
    assert (tmp_path / NEEDED).read_text() == ""


# -- results that are known, or just made --------------------------------------------------------------------------

FOX = cache_key(Operation.CREATE, DEFAULT_ENDPOINTS[Operation.CREATE], "a fox", (), {})


@pytest.mark.parametrize("kept", [True, False])
async def test_a_known_result_serves_as_long_as_its_pictures_are_kept(
    submitter: RequestSubmitter, queue_server: RedisServer, tmp_path: Path, kept: bool
) -> None:
    pictures = ("results/2026/01/02/u0-0.png", "results/2026/01/02/u0-1.png")
    for key in pictures if kept else pictures[:1]:
        await submitter.media.put(key, b"picture")
        os.utime(tmp_path / key, (0, 0))
    await submitter.cache.put(FOX, Result(pictures, ("photo-1", "photo-2")))
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    record = await submitter.requests.load("u1")
    assert record
    assert record.state is (RequestState.DONE if kept else RequestState.QUEUED)
    assert waiting(queue_server) == ([] if kept else ["u1"])
    assert not kept or (tmp_path / pictures[1]).stat().st_mtime > 0  # /history has it for another 30 days


@pytest.mark.parametrize("kept", [True, False])
async def test_a_result_just_made_serves_as_long_as_its_pictures_are_kept(
    submitter: RequestSubmitter, queue_server: RedisServer, kept: bool
) -> None:
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    picture = "results/2026/01/02/u1-0.png"
    if kept:
        await submitter.media.put(picture, b"picture")
    lease = Lease(redis_keys.leases(queues.QUEUE), "u1:test")
    queue_server.client.zadd(lease.key, {lease.execution: 1})
    await submitter.requests.begin_submit("u1", lease, 1)
    await submitter.requests.mark_submitted("u1", FalRequest("f", "s", "r", "c", "e", 1.0))
    await submitter.requests.mark_stored("u1", lease, (picture,))
    await submitter.requests.mark_done("u1", lease)
    assert await submitter.submit(SPEC, ReplyTarget("u2", 8, 8, 4), TRANSLATE)
    assert await submitter.submit(SPEC, ReplyTarget("u3", 9, 9, 5), TRANSLATE)
    second, third = [await submitter.requests.load(request_id) for request_id in ("u2", "u3")]
    assert second
    assert third
    assert (second.state, third.state) == ((RequestState.DONE if kept else RequestState.QUEUED),) * 2
    assert third.joined_to == ("" if kept else "u2")  # one call to fal for both


async def test_a_known_result_serves_while_the_media_store_can_t_be_asked(
    submitter: RequestSubmitter, queue_server: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "results").write_text("in the way")
    await submitter.cache.put(FOX, Result(("results/2026/01/02/u0-0.png",), ("photo-1",)))
    assert await submitter.submit(SPEC, TARGET, TRANSLATE)
    assert waiting(queue_server) == []
