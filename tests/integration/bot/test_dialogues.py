"""Dialogues in Redis."""

from aiogram.fsm.storage.base import StorageKey
from redis.asyncio import Redis

from app.bot.requests.dialogues import DIALOGUE_TTL, Editing, dialogue_storage

KEY = StorageKey(bot_id=1, chat_id=7, user_id=7)


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
