"""The inbox, with a real Redis: several instances share it, and what one leaves unfinished the others finish."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from app.bot.keyed_executor import KeyedExecutor
from app.bot.tasks import end
from app.bot.updates import aside
from app.bot.updates import inbox as module
from app.bot.updates.aside import UnreadableError, Why
from app.bot.updates.inbox import Inbox, RawUpdate
from app.core import redis_keys
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

Seen = list[tuple[str, int]]


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture(autouse=True)
def retry_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead instance is found out soon."""
    monkeypatch.setattr(module, "ABANDONED_AFTER", 1.0)
    monkeypatch.setattr(module, "_SHOW_LIFE", 0.2)


def update(number: int, chat: int = 7) -> RawUpdate:
    return {"update_id": number, "message": {"chat": {"id": chat}}}


class Instance:
    """One instance of the bot: notes what it handles; may be slow, until it is let go."""

    def __init__(self, redis: Redis, name: str, seen: Seen, *, slow: bool = False) -> None:
        self._name, self._seen = name, seen
        self.begun: list[int] = []
        self.asides: list[tuple[int, Why]] = []
        self.errors: dict[int, Exception] = {}
        self.go = asyncio.Event()
        if not slow:
            self.go.set()
        self._redis: Redis = Redis(connection_pool=redis.connection_pool)
        self.inbox = Inbox(self._redis, name, self._handle, KeyedExecutor(100), KeyedExecutor(100), self._tell)
        self._tasks: list[asyncio.Task[None]] = []

    async def _handle(self, update: RawUpdate) -> None:
        self.begun.append(update["update_id"])
        await self.go.wait()
        if error := self.errors.get(update["update_id"]):
            raise error
        self._seen.append((self._name, update["update_id"]))

    async def _tell(self, update: RawUpdate, why: Why) -> None:
        self.asides.append((update.get("update_id", 0), why))

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self.inbox.run()), asyncio.create_task(self.inbox.tend())]

    async def stop(self) -> None:
        """Die: nothing in flight goes on, nothing is given back, and Redis hears no more of it."""
        self._redis.execute_command = self._is_dead  # type: ignore[method-assign]  # a fault is put in
        await self.shut_down()

    async def _is_dead(self, *command: Any, **options: Any) -> Any:
        raise RedisConnectionError("dead")

    async def shut_down(self) -> None:
        """Do what SIGTERM makes the bot do, when what is in flight takes too long."""
        await end(self._tasks)
        for executor in (self.inbox._executor, self.inbox._orphaned):
            await executor.drain(0)


class Deadly(Instance):
    """Dies of one update, at once; the others take their time."""

    def __init__(self, redis: Redis, name: str, seen: Seen, deadly: int) -> None:
        super().__init__(redis, name, seen)
        self._deadly = deadly
        self.dead = asyncio.Event()

    async def _handle(self, update: RawUpdate) -> None:
        if self.dead.is_set() or update["update_id"] == self._deadly:
            self.dead.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0.05)
        await super()._handle(update)


@asynccontextmanager
async def running(*instances: Instance) -> AsyncIterator[None]:
    for instance in instances:
        instance.start()
    try:
        yield
    finally:
        for instance in instances:
            await instance.stop()


async def until(true: Callable[[], Any], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)


async def left(redis: Redis) -> int:
    return int(await redis.xlen(redis_keys.INBOX))


async def kept_aside(redis: Redis) -> list[dict[str, str]]:
    entries: Any = await redis.xrange(redis_keys.INBOX_ASIDE)
    return [fields for _, fields in entries]


@pytest.fixture
def seen() -> Seen:
    return []


async def test_an_update_that_comes_again_is_kept_once(redis: Redis, seen: Seen) -> None:
    one, two = Instance(redis, "imagebot@1", seen), Instance(redis, "imagebot@2", seen)
    await one.inbox.receive([update(1), update(2)])
    await two.inbox.receive([update(2), update(3)])
    assert await left(redis) == 3


async def test_a_chat_s_updates_are_handled_in_order_whoever_handles_them(redis: Redis, seen: Seen) -> None:
    instances = [Instance(redis, f"imagebot@{number}", seen) for number in (1, 2, 3)]
    async with running(*instances):
        for number in range(60):
            await instances[number % 3].inbox.receive([update(number, chat=number % 2)])
        await until(lambda: len(seen) == 60, "all are handled")
    for chat in (0, 1):
        handled = [number for _, number in seen if number % 2 == chat]
        assert handled == sorted(handled)
    assert len({name for name, _ in seen}) > 1, "one instance did it all: nothing was shared"
    assert await left(redis) == 0


async def test_the_next_update_of_a_chat_waits_while_another_instance_has_the_one_before(
    redis: Redis, seen: Seen
) -> None:
    slow, other = Instance(redis, "imagebot@1", seen, slow=True), Instance(redis, "imagebot@2", seen)
    async with running(slow):
        await slow.inbox.receive([update(1)])
        await until(lambda: slow.begun, "the first is in flight")
        await end(slow._tasks[:1])  # takes nothing more
        async with running(other):
            await other.inbox.receive([update(2), update(3, chat=8)])
            await until(lambda: ("imagebot@2", 3) in seen, "the other chat's is handled")
            assert ("imagebot@2", 2) not in seen
            slow.go.set()
            await until(lambda: len(seen) == 3, "all are handled")
    assert [number for _, number in seen if number < 3] == [1, 2]


async def test_what_a_dead_instance_had_in_hand_is_handled_by_another_and_in_order(redis: Redis, seen: Seen) -> None:
    dead, living = Instance(redis, "imagebot@1", seen, slow=True), Instance(redis, "imagebot@2", seen)
    async with running(dead):
        await dead.inbox.receive([update(1), update(2), update(3, chat=8)])
        await until(lambda: len(dead.begun) == 2, "one of each chat is in flight")
    await living.inbox.receive([update(4)])  # stands in its chat's key before the first is taken over
    async with running(living):
        await until(lambda: len(seen) == 4, "all are handled")
    assert [number for _, number in seen if number != 3] == [1, 2, 4]
    assert await left(redis) == 0


async def test_what_a_living_instance_has_in_hand_stays_there_however_long_it_takes(redis: Redis, seen: Seen) -> None:
    slow, other = Instance(redis, "imagebot@1", seen, slow=True), Instance(redis, "imagebot@2", seen)
    async with running(slow):
        await slow.inbox.receive([update(1)])
        await until(lambda: slow.begun, "it is in flight")
        async with running(other):
            await asyncio.sleep(3 * module.ABANDONED_AFTER)  # nothing tells that nothing will happen
            assert other.begun == []
            slow.go.set()
            await until(lambda: seen == [("imagebot@1", 1)], "it is handled")


@pytest.mark.parametrize("attempt", range(3))
async def test_a_stall_of_redis_makes_nobody_take_over_what_a_living_instance_has_in_hand(
    redis: Redis, seen: Seen, queue_server: RedisServer, attempt: int
) -> None:
    slow, other = Instance(redis, "imagebot@1", seen, slow=True), Instance(redis, "imagebot@2", seen)
    async with running(slow):
        await slow.inbox.receive([update(1)])
        await until(lambda: slow.begun, "it is in flight")
        async with running(other):
            await asyncio.sleep(2 * module.ABANDONED_AFTER + attempt * 0.07)  # the other looks for what is abandoned
            queue_server.kill(signal.SIGSTOP)
            await asyncio.sleep(2 * module.ABANDONED_AFTER)
            queue_server.kill(signal.SIGCONT)
            await asyncio.sleep(2 * module.ABANDONED_AFTER)  # nothing tells that nothing will happen
            assert other.begun == []
            slow.go.set()
            await until(lambda: seen == [("imagebot@1", 1)], "it is handled")


async def test_after_its_restart_an_instance_goes_on_with_what_it_had_in_hand(redis: Redis, seen: Seen) -> None:
    before, after = Instance(redis, "imagebot@1", seen, slow=True), Instance(redis, "imagebot@1", seen)
    async with running(before):
        await before.inbox.receive([update(1), update(2)])
        await until(lambda: before.begun, "it is in flight")
    async with running(after):
        await until(lambda: len(seen) == 2, "both are handled")
    assert [number for _, number in seen] == [1, 2]


async def test_an_update_that_kills_whoever_handles_it_is_given_up_in_the_end(redis: Redis, seen: Seen) -> None:
    for _ in range(module.DELIVERIES):
        instance = Instance(redis, "imagebot@1", seen, slow=True)
        async with running(instance):
            await instance.inbox.receive([update(1)])
            await until(lambda: 1 in instance.begun, "it is begun with")  # noqa: B023 - called at once
    survivor = Instance(redis, "imagebot@1", seen)
    async with running(survivor):
        await survivor.inbox.receive([update(3)])
        await until(lambda: ("imagebot@1", 3) in seen, "its chat goes on")
    assert 1 not in survivor.begun


async def test_many_quick_deaths_are_blamed_on_the_update_that_was_running_and_on_no_other(
    redis: Redis, seen: Seen
) -> None:
    others = set(range(2, 42))
    deaths = 0
    asides: list[tuple[int, Why]] = []
    while not asides:
        instance = Deadly(redis, "imagebot@1", seen, deadly=20)
        instance.asides = asides
        async with running(instance):
            await instance.inbox.receive([update(number, chat=number % 8) for number in sorted(others)])
            await until(lambda: instance.dead.is_set() or asides, "it dies, or has found out")  # noqa: B023 - called at once
            deaths += instance.dead.is_set()
        assert deaths <= module.DELIVERIES
    survivor = Instance(redis, "imagebot@1", seen)
    async with running(survivor):
        await until(lambda: {number for _, number in seen} == others - {20}, "all others are handled")
    assert asides == [(20, Why.DEADLY)]
    [kept] = await kept_aside(redis)
    assert kept["why"] == "deadly"
    assert json.loads(kept["update"])["update_id"] == 20
    assert await left(redis) == 0
    assert await redis.exists(redis_keys.INBOX_BEGUN) == 0
    assert await redis.ttl(redis_keys.INBOX_ASIDE) > 0


async def test_an_update_that_was_cancelled_by_shutdowns_is_not_blamed_for_them(redis: Redis, seen: Seen) -> None:
    for _ in range(module.DELIVERIES + 2):
        instance = Instance(redis, "imagebot@1", seen, slow=True)
        instance.start()
        await instance.inbox.receive([update(1)])
        await until(lambda: instance.begun or instance.asides, "it is begun with, or given up")  # noqa: B023 - called at once
        assert await redis.ttl(redis_keys.INBOX_BEGUN) > 0
        await instance.shut_down()
        assert instance.asides == []
    survivor = Instance(redis, "imagebot@1", seen)
    async with running(survivor):
        await until(lambda: seen == [("imagebot@1", 1)], "it is handled")


async def test_restarts_while_updates_wait_their_turn_are_blamed_on_none_of_them(redis: Redis, seen: Seen) -> None:
    for _ in range(module.DELIVERIES + 2):
        instance = Instance(redis, "imagebot@1", seen, slow=True)
        async with running(instance):
            await instance.inbox.receive([update(1), update(2), update(3)])
            await until(lambda: instance.begun or instance.asides, "the first is begun with, or given up")  # noqa: B023 - called at once
    survivor = Instance(redis, "imagebot@1", seen)
    async with running(survivor):
        await until(lambda: {number for _, number in seen} == {2, 3}, "the others are handled")


@pytest.mark.parametrize(
    ("error", "why"),
    [(UnreadableError(), Why.UNREADABLE), (RuntimeError(), Why.FAILED), (ResponseError(), Why.FAILED)],
)
async def test_what_can_not_be_handled_is_set_aside_at_once_and_its_chat_goes_on(
    redis: Redis, seen: Seen, error: Exception, why: Why
) -> None:
    instance = Instance(redis, "imagebot@1", seen)
    instance.errors[1] = error
    async with running(instance):
        await instance.inbox.receive([update(1), update(2)])
        await until(lambda: ("imagebot@1", 2) in seen, "its chat goes on")
    assert instance.asides == [(1, why)]
    assert instance.begun.count(1) == 1
    assert await redis.xlen(redis_keys.INBOX_ASIDE) == 1
    assert await left(redis) == 0


@pytest.mark.parametrize("text", ["{", "[]", "5", '{"update_id":' + "[" * 100_000, None])
async def test_an_entry_that_is_no_update_at_all_is_set_aside(redis: Redis, seen: Seen, text: str | None) -> None:
    await redis.xadd(redis_keys.INBOX, {"update": text} if text else {"else": "x"})
    instance = Instance(redis, "imagebot@1", seen)
    async with running(instance):
        await instance.inbox.receive([update(2)])
        await until(lambda: ("imagebot@1", 2) in seen, "others are handled")
        await until(lambda: instance.asides, "it is told of")
    assert await redis.xlen(redis_keys.INBOX_ASIDE) == 1
    assert await left(redis) == 0


async def test_what_is_set_aside_is_bounded(redis: Redis, seen: Seen) -> None:
    instance = Instance(redis, "imagebot@1", seen)
    instance.errors = {number: UnreadableError() for number in range(aside.KEPT + 20)}
    async with running(instance):
        for number in instance.errors:
            await instance.inbox.receive([update(number, chat=number) | {"x": "y" * 2 * aside.TEXT_MAX}])
        await until(lambda: len(instance.asides) == len(instance.errors), "all are set aside")
    kept = await kept_aside(redis)
    assert len(kept) == aside.KEPT
    assert max(len(fields["update"]) for fields in kept) == aside.TEXT_MAX


async def test_updates_of_an_older_release_are_handled_too(redis: Redis, seen: Seen) -> None:
    await redis.xadd(redis_keys.INBOX, {"update": '{"update_id": 1, "message": {"chat": {"id": 7}}}'})
    async with running(Instance(redis, "imagebot@1", seen)):
        await until(lambda: seen == [("imagebot@1", 1)], "it is handled")
