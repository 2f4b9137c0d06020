"""One message to everybody, with a real Redis and a played Telegram."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.methods import CopyMessage, EditMessageText
from aiogram.methods.base import TelegramMethod
from redis.asyncio import Redis
from teremok import MockBot

from app.bot.tasks import end
from app.bot.texts import Texts
from app.bot.users import broadcast
from app.bot.users.broadcast import Broadcaster, Broadcasts, Start
from app.bot.users.users import Users
from app.core import redis_keys
from tests.integration.bot.conftest import Scene
from tests.support.redis_server import RedisServer

ADMIN, DRAFT, PROGRESS = 500, 31, 32
PEOPLE = range(1, 8)


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def users(redis: Redis) -> Users:
    users = Users(redis)
    for user_id in PEOPLE:
        await users.upsert(user_id, "en")
    return users


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "INTERVAL", 0)
    monkeypatch.setattr(broadcast, "PROGRESS_INTERVAL", 0)


class Instance:
    """An instance of the bot."""

    def __init__(self, redis: Redis, users: Users, name: str = "imagebot@1") -> None:
        self.bot = MockBot()
        self.broadcasts = Broadcasts(redis)
        self.broadcaster = Broadcaster(self.bot, self.broadcasts, users, Texts(), name)

    def got_it(self) -> list[int | str]:
        return [method.chat_id for method in self.bot.requests.all if isinstance(method, CopyMessage)]

    def progress(self) -> list[EditMessageText]:
        return [method for method in self.bot.requests.all if isinstance(method, EditMessageText)]

    async def dies_sending(self, number: int) -> None:
        """Begin to send, and be cancelled when Telegram has just taken the message to the ``number``-th person."""
        reached = asyncio.Event()

        async def hold(make_request: Any, bot: Bot, method: TelegramMethod[Any]) -> Any:
            answer = await make_request(bot, method)
            if len(self.got_it()) == number:
                reached.set()
                await asyncio.Event().wait()
            return answer

        self.bot.session.middleware.register(hold)
        sending = asyncio.create_task(self.broadcaster.send())
        await reached.wait()
        await end([sending])
        self.bot.session.middleware.unregister(hold)


@pytest.fixture
def instance(redis: Redis, users: Users) -> Instance:
    return Instance(redis, users)


async def _start(instance: Instance) -> Start:
    return await instance.broadcasts.start(ADMIN, DRAFT, PROGRESS)


async def test_everybody_gets_a_copy_of_the_draft(instance: Instance) -> None:
    assert await _start(instance) is Start.STARTED
    await instance.broadcaster.send()
    copies = [method for method in instance.bot.requests.all if isinstance(method, CopyMessage)]
    assert sorted(copy.chat_id for copy in copies) == list(PEOPLE)
    assert {(copy.from_chat_id, copy.message_id) for copy in copies} == {(ADMIN, DRAFT)}


async def test_the_admin_s_message_tells_how_far_it_is_and_can_stop_it(instance: Instance) -> None:
    await _start(instance)
    await instance.broadcaster.send()
    first, *_, last = instance.progress()
    assert {(shown.chat_id, shown.message_id) for shown in (first, last)} == {(ADMIN, PROGRESS)}
    assert first.text == "Sending: 0 of 7 got it, 0 have left, 0 failed."
    assert first.reply_markup is not None
    assert first.reply_markup.inline_keyboard[0][0].callback_data == f"broadcast:stop:{DRAFT}"
    assert last.text == "Done: 7 of 7 got it, 0 have left, 0 failed."
    assert last.reply_markup is None


async def test_who_is_banned_is_not_written_to(instance: Instance, users: Users) -> None:
    await users.set_banned(3, True)
    await _start(instance)
    await instance.broadcaster.send()
    assert 3 not in instance.got_it()
    assert len(instance.got_it()) == len(PEOPLE) - 1


async def test_who_has_left_is_forgotten_and_others_get_it(instance: Instance, users: Users) -> None:
    instance.bot.add_result(
        CopyMessage, ok=False, error_code=403, description="Forbidden: bot was blocked by the user"
    )
    instance.bot.add_result(CopyMessage, ok=False, description="Bad Request: VOICE_MESSAGES_FORBIDDEN")
    await _start(instance)
    await instance.broadcaster.send()
    assert instance.progress()[-1].text == "Done: 5 of 7 got it, 1 have left, 1 failed."
    assert await users.audience() == len(PEOPLE) - 1


async def test_a_start_that_is_wished_twice_is_one(instance: Instance) -> None:
    assert [await _start(instance) for _ in range(2)] == [Start.STARTED, Start.KNOWN]
    await instance.broadcaster.send()
    assert await _start(instance) is Start.KNOWN
    assert len(instance.got_it()) == len(PEOPLE)


async def test_there_is_one_at_a_time(instance: Instance) -> None:
    await _start(instance)
    assert await instance.broadcasts.start(ADMIN, 41, 42) is Start.BUSY
    await instance.broadcaster.send()
    assert await instance.broadcasts.start(ADMIN, 41, 42) is Start.STARTED


async def test_what_was_discarded_can_not_be_sent(instance: Instance) -> None:
    assert [await instance.broadcasts.discard(ADMIN, PROGRESS) for _ in range(2)] == [True, False]
    assert await _start(instance) is Start.KNOWN
    await instance.broadcaster.send()
    assert instance.bot.requests.all == []


async def test_after_a_stop_nobody_gets_it(instance: Instance) -> None:
    await _start(instance)
    await instance.dies_sending(2)
    assert await instance.broadcasts.stop(ADMIN, PROGRESS)
    await instance.broadcaster.send()
    assert len(instance.got_it()) == 2
    assert instance.progress()[-1].text == "Stopped: 1 of 7 got it, 0 have left, 0 failed."
    assert not await instance.broadcasts.stop(ADMIN, PROGRESS)


async def test_another_broadcast_s_button_stops_nothing(instance: Instance) -> None:
    await _start(instance)
    assert not await instance.broadcasts.stop(ADMIN, 99)
    await instance.broadcaster.send()
    assert len(instance.got_it()) == len(PEOPLE)


async def test_after_a_restart_it_goes_on_and_only_who_was_being_written_to_may_get_it_twice(
    redis: Redis, users: Users, instance: Instance
) -> None:
    await _start(instance)
    await instance.dies_sending(3)
    again = Instance(redis, users)
    await again.broadcaster.send()
    copies = Counter(instance.got_it() + again.got_it())
    assert set(copies) == set(PEOPLE)
    assert [user for user, count in copies.items() if count > 1] == [instance.got_it()[-1]]
    assert again.progress()[-1].text == "Done: 7 of 7 got it, 0 have left, 0 failed."


async def test_one_instance_sends_at_a_time_and_another_takes_over_when_it_has_died(
    redis: Redis, users: Users, instance: Instance
) -> None:
    await _start(instance)
    await instance.dies_sending(3)
    other = Instance(redis, users, "imagebot@2")
    await other.broadcaster.send()
    assert other.bot.requests.all == []
    await redis.delete(redis_keys.BROADCAST_SENDER)  # it runs out
    await other.broadcaster.send()
    assert len(other.got_it()) == len(PEOPLE) - 2


async def test_who_has_lost_the_right_to_send_leaves_the_rest_to_the_other(
    redis: Redis, users: Users, instance: Instance
) -> None:
    await _start(instance)
    await instance.broadcasts.claim("imagebot@1")
    await redis.set(redis_keys.BROADCAST_SENDER, "imagebot@2")
    assert not await instance.broadcasts.record("imagebot@1", 1, "sent")
    await redis.delete(redis_keys.BROADCAST_SENDER)
    await instance.broadcaster.send()
    assert len(instance.got_it()) == len(PEOPLE) - 1


async def test_an_admin_who_deleted_the_progress_message_stops_nothing(instance: Instance) -> None:
    for _ in range(20):
        instance.bot.add_result(EditMessageText, ok=False, description="Bad Request: message to edit not found")
    await _start(instance)
    await instance.broadcaster.send()
    assert len(instance.got_it()) == len(PEOPLE)


def test_a_broadcast_outlives_a_killed_bot_and_flood_control(own_scene: Scene) -> None:
    own_scene.telegram.post("/control/settings", rate_limits=False)
    people = [own_scene.person() for _ in range(25)]
    admin = own_scene.admin()
    for person in people:
        person.say("/start")
    for person in people:
        person.waits_for_text("I turn words into pictures")
    people[3].post("block")
    admin.say("/broadcast We are back!")
    question = admin.waits_for_message_with("Shall I send this")
    for person, seconds in ((people[20], 1), (people[10], 30)):
        fault = {"method": "copyMessage", "status": 429, "retry_after": seconds}
        own_scene.telegram.post("/control/faults", chat_id=person.id, **fault)
    admin.press(question, "Send")
    admin.waits_for_answer("On its way")
    own_scene.bot.until_logged("flood control: copyMessage waits 30 s")
    own_scene.bot.kill()
    own_scene.bot.start()
    admin.waits_for_text("Done: ")
    copies = Counter({person.id: person.texts().count("We are back!") for person in people})
    assert copies.pop(people[3].id) == 0
    assert set(copies.values()) == {1}
    assert own_scene.bot.terminate() == 0


def test_a_broadcast_can_be_stopped(own_scene: Scene) -> None:
    own_scene.telegram.post("/control/settings", rate_limits=False)
    people = [own_scene.person() for _ in range(3)]
    admin = own_scene.admin()
    for person in people:
        person.say("/start")
        person.waits_for_text("I turn words into pictures")
    admin.say("/broadcast We are back!")
    question = admin.waits_for_message_with("Shall I send this")
    own_scene.telegram.post("/control/faults", method="copyMessage", status=429, retry_after=1)
    admin.press(question, "Send")
    admin.press(admin.waits_for_message_with("Sending: "), "Stop")
    admin.waits_for_answer("Stopping")
    admin.waits_for_text("Stopped: ")
    assert sum("We are back!" in person.texts() for person in people) < len(people)
