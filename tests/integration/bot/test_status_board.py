"""The status messages of many people, kept by any number of instances: a real Redis, and Telegram played."""

import time
from collections.abc import AsyncIterator, Hashable
from typing import Any

import pytest
from aiogram.methods import DeleteMessage, Response, SendChatAction, SendMessage
from aiogram.types import Message, ResponseParameters
from redis.asyncio import Redis
from rq import Queue
from teremok import MockBot

from app.bot.delivery.eta import RUN_TIMES_NEEDED, EtaEstimator
from app.bot.delivery.keyboards import status_keyboard
from app.bot.delivery.ledger import DeliveryLedger
from app.bot.delivery.pacing import Pacing
from app.bot.delivery.status_board import LOOK_EVERY, StatusBoard
from app.bot.delivery.status_refresher import AT_ONCE, LEASE, StatusRefresher
from app.bot.keyed_executor import KeyedExecutor, Work
from app.bot.requests.admission import Admission
from app.bot.telegram import EditStatus
from app.bot.texts import Texts, Translator
from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.operations import Operation
from app.core.queues import QUEUE
from app.core.requests import FalRequest, ImageRequest, Lease, RequestStore
from tests.support.redis_server import RedisServer

EN = Translator(Texts(), "en")
PLENTY = 100_000.0
"""Messages a second: no limit."""


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


class InTurn(KeyedExecutor):
    """Does all work at once, and in turn."""

    async def put(self, key: Hashable, work: Work) -> None:
        await work()


class Harness:
    """The board, the refreshers of two instances, and what goes on round them."""

    def __init__(self, redis: Redis, per_second: float = PLENTY) -> None:
        self.redis, self.bot = redis, MockBot()
        self.requests = RequestStore(redis)
        self.estimator = EtaEstimator(redis, DEFAULT_ENDPOINTS, slots=2)
        self.executor, pacing = InTurn(20), Pacing(redis, per_second)
        self.board = StatusBoard(self.bot, redis, self.estimator)
        self.refresher, self.other = (
            StatusRefresher(self.bot, redis, self.estimator, Texts(), pacing, self.executor) for _ in range(2)
        )

    async def begin(self, request_id: str, chat_id: int = 7, translate: Translator = EN, **more: Any) -> ImageRequest:
        """Take a request on, queue it and show it."""
        request = ImageRequest(request_id, chat_id, chat_id, translate.locale, Operation.CREATE, "a fox", **more)
        await Admission(self.redis).admit(request)
        await self.redis.rpush(Queue.redis_queue_namespace_prefix + QUEUE, request_id)
        await self.board.begin(request, translate)
        return request

    async def is_taken(self, request_id: str) -> None:
        """A worker takes it out of the queue."""
        await self.redis.lrem(Queue.redis_queue_namespace_prefix + QUEUE, 0, request_id)

    async def is_drawn(self, request_id: str, since: float = 0.0) -> None:
        """A worker has handed it to fal."""
        await self.is_taken(request_id)
        lease = Lease(redis_keys.leases(QUEUE), f"{request_id}:test")
        await self.redis.zadd(lease.key, {lease.execution: time.time() + 600})
        await self.requests.begin_submit(request_id, lease, 1)
        await self.requests.mark_submitted(request_id, FalRequest("f", "s", "r", "c", "e", time.time()))
        await self.redis.hset(redis_keys.request(request_id), "submitted_at", str(time.time() - since))
        await self.board.changed(request_id)

    async def takes(self, seconds: float) -> None:
        """So long it has taken so far to draw a picture."""
        key = redis_keys.latency(DEFAULT_ENDPOINTS[Operation.CREATE])
        await self.redis.rpush(key, *[str(seconds)] * RUN_TIMES_NEEDED)

    async def later(self, seconds: float = LOOK_EVERY) -> None:
        """Let so much time pass, as far as the board is concerned."""
        for key in (redis_keys.STATUS_WAITING, redis_keys.STATUS_DRAWING):
            for request_id in await self.redis.zrange(key, 0, -1):
                await self.redis.zincrby(key, -seconds, str(request_id))

    async def look(self, refresher: StatusRefresher | None = None) -> list[str]:
        """Look at what is due; return what messages were changed to."""
        before = len(self.edits())
        await self.estimator.look()
        await (refresher or self.refresher).look()
        return self.edits()[before:]

    def said(self) -> list[str]:
        """The messages as they were sent."""
        return [method.text for method in self.bot.requests.all if type(method) is SendMessage]

    def edits(self) -> list[str]:
        """What they were changed to."""
        return [str(method.text) for method in self.bot.requests.all if type(method) is EditStatus]

    def actions(self) -> list[str]:
        """What Telegram was told to show that the bot is doing."""
        return [str(method.action) for method in self.bot.requests.all if isinstance(method, SendChatAction)]

    def deleted(self) -> int:
        """How many were taken back."""
        return len([method for method in self.bot.requests.all if type(method) is DeleteMessage])


@pytest.fixture
def harness(redis: Redis) -> Harness:
    return Harness(redis)


# -- what one person sees ---------------------------------------------------------------------------------------


async def test_a_request_is_shown_with_its_place_and_can_be_cancelled(harness: Harness) -> None:
    await harness.begin("u1")
    [message] = harness.bot.requests.all
    assert isinstance(message, SendMessage)
    assert message.text == "On it! You are #1 in the queue."
    assert message.reply_markup == status_keyboard("u1", EN)


async def test_the_time_to_go_comes_from_what_pictures_took(harness: Harness) -> None:
    await harness.takes(30)
    for number in range(1, 5):
        await harness.begin(f"u{number}", chat_id=number)
    assert harness.said()[-1] == "On it! You are #4 in the queue, about 1 min to go."


async def test_it_is_queued_then_drawn_then_gone(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.begin("u2", chat_id=8, translate=Translator(Texts(), "ru"))
    await harness.later()
    await harness.is_taken("u1")
    assert sorted(await harness.look()) == ["On it! You're next.", "Принято! Номер 1 в очереди."]
    await harness.is_drawn("u1", since=6)
    await harness.later()
    assert await harness.look() == ["Drawing… 5 s"]
    await harness.board.remove("u1")
    assert harness.deleted() == 1
    await harness.later()
    assert await harness.look() == []


async def test_telegram_says_that_a_picture_is_on_its_way_as_long_as_it_is_drawn(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.later()
    await harness.look()
    assert harness.actions() == []
    await harness.is_drawn("u1", since=6)
    for _ in range(2):
        await harness.later()
        await harness.look()
    assert harness.actions() == ["upload_photo"] * 2
    harness.bot.add_result(SendChatAction, ok=False, error_code=502, description="Bad Gateway")
    await harness.later()
    await harness.look()  # not worth an error


async def test_the_button_stays_under_a_changed_message(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1")
    await harness.later()
    await harness.look()
    edit = harness.bot.requests.all[-1]
    assert isinstance(edit, EditStatus)
    assert edit.reply_markup == status_keyboard("u1", EN)


async def test_handled_twice_it_is_shown_once(harness: Harness) -> None:
    request = await harness.begin("u1")
    await StatusBoard(harness.bot, harness.redis, harness.estimator).begin(request, EN)
    assert len(harness.said()) == 1


async def test_what_is_part_of_a_batch_has_no_message_of_its_own(harness: Harness) -> None:
    await harness.begin("u1-1", batch="u1")
    assert harness.said() == []


async def test_a_message_that_comes_after_the_answer_goes_again(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, send = DeliveryLedger(harness.redis).end, MockBot.__call__

    async def slow(bot: MockBot, method: Any, *args: Any) -> Any:
        await ended("u1")
        return await send(bot, method, *args)

    monkeypatch.setattr(MockBot, "__call__", slow)
    await harness.begin("u1")
    assert harness.deleted() == 1
    await harness.later()
    assert await harness.look() == []


# -- seldom ------------------------------------------------------------------------------------------------------


async def test_a_message_is_not_changed_before_it_is_due(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    assert await harness.look() == []
    await harness.later()
    assert await harness.look() == ["Drawing… 5 s"]
    assert await harness.look(harness.other) == []


async def test_a_message_that_would_say_the_same_is_left_alone(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.later()
    assert await harness.look() == []


async def test_no_instance_repeats_what_another_does(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()
    assert await harness.look() + await harness.look(harness.other) == ["Drawing… 5 s"]


async def test_what_an_instance_had_in_hand_when_it_died_is_done_by_another(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()

    async def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(harness.executor, "put", dies)
        with pytest.raises(KeyboardInterrupt):
            await harness.refresher.look()
    assert await harness.look(harness.other) == []
    await harness.later(LEASE)
    assert await harness.look(harness.other) == ["Drawing… 5 s"]


# -- many --------------------------------------------------------------------------------------------------------


async def _many(harness: Harness, count: int) -> None:
    """So many, whose messages would all say something else now."""
    for number in range(1, count + 1):
        await harness.begin(f"u{number}", chat_id=number)
    await harness.is_taken("u1")
    await harness.later()


async def test_one_budget_holds_for_all_and_nobody_is_forgotten(redis: Redis) -> None:
    harness = Harness(redis, per_second=0.2)
    await _many(harness, 5)
    first = await harness.look()
    assert len(first) == 1  # one in five seconds
    assert await harness.look() == []
    for _ in range(4):
        await redis.delete(redis_keys.PACING_ALL)  # five seconds later
        await harness.later(10)
        first += await harness.look()
    assert len(first) == 5
    assert len(set(first)) == 5


async def test_a_round_takes_no_more_than_it_can_do(harness: Harness) -> None:
    await _many(harness, AT_ONCE + 5)
    assert len(await harness.look()) == AT_ONCE
    assert len(await harness.look(harness.other)) == 5


async def test_what_is_drawn_does_not_wait_for_all_that_wait(redis: Redis) -> None:
    harness = Harness(redis)
    await _many(harness, AT_ONCE + 5)
    await harness.is_drawn(f"u{AT_ONCE + 5}", since=6)
    assert "Drawing… 5 s" in await harness.look()


async def test_many_messages_in_one_chat_are_changed_one_after_another(harness: Harness) -> None:
    for number in range(1, 10):
        await harness.begin(f"u{number}", chat_id=7)
    await harness.is_taken("u1")
    await harness.later()
    assert 1 <= len(await harness.look()) <= 3


# -- what goes wrong ----------------------------------------------------------------------------------------------


async def test_flood_control_puts_a_change_off(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()
    parameters = ResponseParameters(retry_after=30)
    flood = Response[Message](ok=False, error_code=429, description="Too Many Requests", parameters=parameters)
    harness.bot.mock_session.add_result(EditStatus, flood)
    assert len(await harness.look()) == 1
    assert await harness.look() == []
    await harness.later(30)
    assert len(await harness.look()) == 1


@pytest.mark.parametrize("why", ["message to edit not found", "chat not found", "something new"])
async def test_a_message_that_can_not_be_changed_is_let_go(harness: Harness, why: str) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()
    harness.bot.add_result(EditStatus, ok=False, description=f"Bad Request: {why}")
    assert len(await harness.look()) == 1
    await harness.later(600)
    assert await harness.look() == []


async def test_a_message_that_says_so_already_is_as_good_as_changed(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()
    harness.bot.add_result(EditStatus, ok=False, description="Bad Request: message is not modified: ...")
    await harness.look()
    await harness.redis.hset(redis_keys.request("u1"), "submitted_at", str(time.time() - 11))
    await harness.later()
    assert await harness.look() == ["Drawing… 10 s"]


async def test_a_request_that_waits_again_is_shown_so(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.is_drawn("u1", since=6)
    await harness.later()
    await harness.look()
    await harness.redis.hset(redis_keys.request("u1"), "state", "queued")
    await harness.redis.rpush(Queue.redis_queue_namespace_prefix + QUEUE, "u1")
    await harness.board.changed("u1")
    await harness.later()
    assert await harness.look() == ["On it! You are #1 in the queue."]


async def test_what_has_ended_is_looked_at_no_more(harness: Harness) -> None:
    await harness.begin("u1")
    await harness.requests.cancel("u1")
    await harness.later()
    assert await harness.look() == []
    assert await harness.redis.zcard(redis_keys.STATUS_WAITING) == 0
