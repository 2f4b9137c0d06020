"""People, alerts and figures, with a real Redis and a played Telegram."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiogram.methods import SendMessage
from redis.asyncio import Redis
from teremok import MockBot

from app.bot.requests.admission import Admission
from app.bot.texts import Texts
from app.bot.users import stats
from app.bot.users.alerts import Alert, Alerts
from app.bot.users.preferences import Choice, Preferences
from app.bot.users.users import Users
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestStore
from tests.support.redis_server import RedisServer

ADMINS = (500, 501)


@pytest.fixture
async def redis(queue_server: RedisServer) -> AsyncIterator[Redis]:
    queue_server.client.flushall()
    async with Redis.from_url(queue_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def users(redis: Redis) -> Users:
    return Users(redis)


async def test_who_is_met_is_remembered_with_their_language(users: Users) -> None:
    met = await users.upsert(7, "ru")
    assert (met.preferences, met.locale, met.banned) == (Preferences(), "ru", False)
    assert await users.audience() == 1
    assert (await users.get(7)).locale == "ru"


async def test_a_chosen_language_is_stronger_than_telegram_s_until_it_is_given_up(users: Users) -> None:
    await users.choose(7, Choice.LANGUAGE, "en")
    assert (await users.upsert(7, "ru")).locale == "en"
    await users.choose(7, Choice.LANGUAGE, "auto")
    assert (await users.get(7)).locale == "ru"


async def test_choices_of_one_are_not_those_of_another(users: Users) -> None:
    await users.choose(7, Choice.SIZE, "portrait")
    assert (await users.upsert(7, "en")).preferences.size == "portrait"
    assert (await users.upsert(8, "en")).preferences.size == "auto"


async def test_an_option_of_an_earlier_release_counts_as_not_chosen(users: Users) -> None:
    await users.choose(7, Choice.SIZE, "hexagonal")
    assert (await users.upsert(7, "en")).preferences == Preferences()


async def test_the_audience_is_without_those_who_left_and_those_who_are_banned(users: Users) -> None:
    for user_id in (7, 8, 9):
        await users.upsert(user_id, "en")
    await users.leave(7)
    await users.set_banned(8, True)
    assert await users.audience() == 1
    assert (await users.upsert(8, "en")).banned
    await users.set_banned(8, False)
    assert not (await users.upsert(8, "en")).banned


async def test_lists_of_vips_and_banned_are_sorted(users: Users) -> None:
    for user_id in (70, 8):
        await users.set_vip(user_id, True)
        await users.set_banned(user_id, True)
    await users.set_vip(8, False)
    assert (await users.vips(), await users.banned()) == ([70], [8, 70])


async def test_a_ban_is_told_once_in_a_while_and_again_after_a_new_one(users: Users) -> None:
    await users.set_banned(7, True)
    assert [await users.is_to_be_told_of_ban(7) for _ in range(2)] == [True, False]
    await users.set_banned(7, True)
    assert await users.is_to_be_told_of_ban(7)


async def test_people_are_known_although_redis_is_full(users: Users, redis: Redis) -> None:
    await users.choose(7, Choice.SIZE, "portrait")
    await redis.config_set("maxmemory", "1mb")
    try:
        met = await users.upsert(7, "ru")
    finally:
        await redis.config_set("maxmemory", "0")
    assert (met.preferences.size, met.locale) == ("portrait", "ru")


async def test_all_admins_hear_once_a_day_in_their_language(users: Users, redis: Redis) -> None:
    bot = MockBot()
    alerts = Alerts(bot, redis, users, Texts(), ADMINS)
    await users.upsert(ADMINS[1], "ru")
    await asyncio.gather(*(alerts.tell(Alert.SPEND_CAP) for _ in range(5)))
    said = [method for method in bot.requests.all if isinstance(method, SendMessage)]
    assert [method.chat_id for method in said] == list(ADMINS)
    assert "spending limit" in said[0].text
    assert "предел расходов" in said[1].text
    await alerts.tell(Alert.RESUMED)
    assert len(bot.requests.all) == 4


async def test_an_alert_that_reached_nobody_is_told_again_soon(users: Users, redis: Redis) -> None:
    bot = MockBot()
    alerts = Alerts(bot, redis, users, Texts(), ADMINS[:1])
    bot.add_result(SendMessage, ok=False, error_code=403, description="Forbidden: bot was blocked by the user")
    await alerts.tell(Alert.SPEND_CAP)
    [key] = await redis.keys("imagebot:alert:*")
    assert await redis.ttl(key) <= 60
    await redis.delete(key)
    await alerts.tell(Alert.SPEND_CAP)
    assert await redis.ttl(key) > 60


async def test_the_figures_are_those_of_the_last_minutes(redis: Redis) -> None:
    an_hour_ago = int((time.time() - 3600) * 1000)
    await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u0"}, id=f"{an_hour_ago}-0")
    admission, requests = Admission(redis), RequestStore(redis)
    reasons = {"u1": FailureReason.POLICY, "u2": FailureReason.TIMED_OUT}
    for name in ("u1", "u2", "u3"):
        request = ImageRequest(name, 7, 7, "en", Operation.CREATE, "a fox", cost=40_000)
        await admission.admit(request)
        await redis.lpush(f"rq:queue:{request.queue}", name)
    for name, reason in reasons.items():
        await requests.fail(name, reason)
    for _ in range(3):
        await redis.xadd(redis_keys.EVENTS, {"type": "done", "request_id": "u4"})
    await redis.hset(redis_keys.COUNTERS, mapping={"cache_hits": "1", "cache_misses": "3"})
    await Users(redis).upsert(7, "en")
    await redis.zadd(redis_keys.USERS, {"8": time.time() - 7 * 24 * 3600})
    await redis.sadd("rq:workers", "rq:worker:living", "rq:worker:dead")
    await redis.hset("rq:worker:living", "birth", "now")
    seen = await stats.look(redis)
    assert sum(seen.queued.values()) == 3
    assert (seen.done, dict(seen.failed)) == (3, {"policy": 1, "timed-out": 1})
    assert seen.error_rate == pytest.approx(1 / 5)
    assert seen.cache_hit_rate == pytest.approx(1 / 4)
    assert seen.spend == pytest.approx(0.04)
    assert (seen.workers, seen.people, seen.people_today) == (1, 2, 1)


async def test_a_bot_that_has_just_been_installed_has_figures_too(redis: Redis) -> None:
    seen = await stats.look(redis)
    assert (seen.done, seen.error_rate, seen.cache_hit_rate, seen.spend, seen.people) == (0, 0, 0, 0, 0)
