"""Dialogues in Redis, and one handler at a time in each chat."""

import asyncio

import pytest
from aiogram.fsm.storage.base import StorageKey
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from app.bot.orders import dialogues
from app.bot.orders.dialogues import DIALOGUE_TTL, Editing, OneAtATime, dialogue_storage

KEY = StorageKey(bot_id=1, chat_id=7, user_id=7)
OTHER = StorageKey(bot_id=1, chat_id=8, user_id=8)


async def test_a_dialogue_is_shared_and_forgotten_in_the_end(redis: Redis) -> None:
    one, other = dialogue_storage(redis), dialogue_storage(redis)
    await one.set_state(KEY, Editing.instruction)
    await one.set_data(KEY, {"picture": "inputs/ab/abc.jpg"})
    assert await other.get_state(KEY) == Editing.instruction.state
    assert await other.get_data(KEY) == {"picture": "inputs/ab/abc.jpg"}
    keys = [key async for key in redis.scan_iter("*")]
    assert len(keys) == 2
    for key in keys:
        assert key.startswith("imagebot:fsm:")
        assert 0 < await redis.ttl(key) <= DIALOGUE_TTL


async def test_two_instances_handle_one_chat_in_turn_and_two_chats_side_by_side(redis: Redis) -> None:
    one, other = OneAtATime(redis), OneAtATime(redis)
    said: list[str] = []
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def handle(isolation: OneAtATime, key: StorageKey, name: str) -> None:
        async with isolation.lock(key):
            said.append(f"{name} begins")
            if name == "first":
                begun.set()
                await may_end.wait()
            said.append(f"{name} ends")

    first = asyncio.create_task(handle(one, KEY, "first"))
    await begun.wait()
    second = asyncio.create_task(handle(other, KEY, "second"))
    await handle(other, OTHER, "another chat's")
    may_end.set()
    await asyncio.gather(first, second)
    assert said == [
        "first begins", "another chat's begins", "another chat's ends", "first ends", "second begins", "second ends",
    ]  # fmt: skip


async def test_a_long_handler_keeps_its_chat_and_a_dead_instance_loses_it(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogues, "HOLD", 0.3)
    async with OneAtATime(redis).lock(KEY):
        await asyncio.sleep(1)
        [lock] = [key async for key in redis.scan_iter("*")]
    assert await redis.set(lock, "a dead instance", px=300)
    async with OneAtATime(redis).lock(KEY):  # as soon as that has passed
        assert await redis.get(lock) != "a dead instance"
    assert await redis.exists(lock) == 0


async def test_a_lock_that_was_lost_is_no_reason_to_handle_an_update_again(redis: Redis) -> None:
    async with OneAtATime(redis).lock(KEY):
        await redis.flushall()


async def test_a_full_redis_lets_people_have_their_answer(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise OutOfMemoryError

    monkeypatch.setattr(redis, "set", full)
    async with OneAtATime(redis).lock(KEY):
        pass
