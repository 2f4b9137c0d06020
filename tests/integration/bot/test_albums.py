"""Albums: many updates in any order become one, once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiogram.types import Message, Update
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.bot.keyed_executor import KeyedExecutor
from app.bot.tasks import end
from app.bot.updates.albums import TEXT_MOST, Albums, album_of, is_whole
from app.bot.updates.inbox import Inbox, RawUpdate
from app.core import redis_keys

CHAT = {"id": 7, "type": "private", "first_name": "Anna"}
SENDER = {"id": 7, "is_bot": False, "first_name": "Anna", "language_code": "ru"}


def part(number: int, group: str = "g", **content: Any) -> tuple[Message, int]:
    """An album's message of this number, and the number of its update."""
    size = {"file_id": f"file {number}", "file_unique_id": f"{number}", "width": 90, "height": 90}
    message = {"message_id": number, "date": 0, "chat": CHAT, "from": SENDER, "media_group_id": group}
    return Message.model_validate({**message, "photo": [size], **content}), 100 + number


@asynccontextmanager
async def closing(*albums: Albums) -> AsyncIterator[None]:
    """Albums are closed meanwhile, by several instances perhaps."""
    tasks = [asyncio.create_task(each.run()) for each in albums]
    try:
        yield
    finally:
        await end(tasks)


async def inbox(redis: Redis, count: int) -> list[Update]:
    """Wait for so many updates in the inbox."""
    async with asyncio.timeout(30):
        while await redis.xlen(redis_keys.INBOX) < count:  # noqa: ASYNC110 - no event tells of a stream
            await asyncio.sleep(0.02)
    entries: Any = await redis.xrange(redis_keys.INBOX)
    return [Update.model_validate(json.loads(fields["update"])) for _, fields in entries]


def numbers(update: Update) -> list[int]:
    return [message.message_id for message in album_of(update) or []]


@given(order=st.permutations([1, 2, 3, 4, 5]), again=st.lists(st.sampled_from([1, 2, 3, 4, 5]), max_size=5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_in_whatever_order_and_however_often_the_parts_come_they_are_one_update(
    redis: Redis, order: list[int], again: list[int]
) -> None:
    await redis.flushall()
    albums = Albums(redis, quiet=0.1)
    for number in [*order, *again]:
        assert await albums.add(*part(number))
    async with closing(albums):
        [update] = await inbox(redis, 1)
    assert numbers(update) == [1, 2, 3, 4, 5]
    assert update.update_id == 101


def piece(number: int, text: str) -> tuple[Message, int]:
    """A piece of a text, and the number of its update."""
    message = {"message_id": number, "date": 0, "chat": CHAT, "from": SENDER, "text": text}
    return Message.model_validate(message), 100 + number


async def test_the_pieces_of_a_text_are_put_together_and_the_next_text_is_another(redis: Redis) -> None:
    albums = Albums(redis, quiet=0.1)
    full, short = "x" * TEXT_MOST, "y" * 3000
    async with closing(albums):
        for number, text in ((2, short), (1, full), (3, "the end")):
            assert await albums.add(*piece(number, text))
        await inbox(redis, 1)
        assert await albums.add(*piece(4, full))
        whole, other = await inbox(redis, 2)
    assert whole.message
    assert other.message
    assert whole.message.text == f"{full}{short}\nthe end"
    assert (whole.update_id, is_whole(whole), album_of(whole)) == (101, True, None)
    assert other.message.text == full
    assert await redis.exists(redis_keys.pieces(7)) == 0


async def test_the_update_holds_what_the_messages_held(redis: Redis) -> None:
    albums = Albums(redis, quiet=0.0)
    await albums.add(*part(1))
    await albums.add(*part(2, caption="вместе", something_new=[1]))
    async with closing(albums):
        [update] = await inbox(redis, 1)
    assert update.message is not None
    assert update.message.from_user is not None
    assert update.message.from_user.language_code == "ru"
    first, second = album_of(update) or []
    assert (first.caption, second.caption, second.model_extra) == (None, "вместе", {"something_new": [1]})
    assert second.photo is not None
    assert second.photo[0].file_id == "file 2"


async def test_albums_and_people_are_kept_apart(redis: Redis) -> None:
    albums = Albums(redis, quiet=0.0)
    await albums.add(*part(1, "one"))
    await albums.add(*part(2, "two"))
    await albums.add(*part(3, "one", chat={**CHAT, "id": 8}))
    async with closing(albums):
        updates = await inbox(redis, 3)
    assert sorted(numbers(update) for update in updates) == [[1], [2], [3]]


async def test_several_instances_close_an_album_once(redis: Redis) -> None:
    instances = [Albums(redis, quiet=0.1) for _ in range(4)]
    for number in range(1, 9):
        await instances[number % 4].add(*part(number))
    async with closing(*instances):
        await inbox(redis, 1)
        await instances[0].add(*part(1, "another"))
        updates = await inbox(redis, 2)
    assert [numbers(update) for update in updates] == [list(range(1, 9)), [1]]


async def test_what_comes_too_late_is_told_from_what_comes_again(redis: Redis) -> None:
    albums = Albums(redis, quiet=0.0)
    await albums.add(*part(1))
    async with closing(albums):
        await inbox(redis, 1)
    assert await albums.add(*part(1))
    assert not await albums.add(*part(2))
    assert await redis.zcard(redis_keys.ALBUMS) == 0


async def test_after_a_time_away_an_album_waits_for_what_waited_elsewhere(redis: Redis) -> None:
    await Albums(redis, quiet=0.0).add(*part(1))
    albums = Albums(redis, quiet=1.0)
    async with closing(albums):
        await asyncio.sleep(0.1)
        await albums.add(*part(2))
        [update] = await inbox(redis, 1)
    assert numbers(update) == [1, 2]


async def test_an_open_album_outlives_any_outage_and_a_closed_one_is_forgotten(redis: Redis) -> None:
    albums = Albums(redis, quiet=0.0)
    await albums.add(*part(1))
    assert await redis.ttl(redis_keys.album("7-g")) == -1
    async with closing(albums):
        await inbox(redis, 1)
    assert await redis.ttl(redis_keys.album("7-g")) > 0


async def test_an_album_stands_in_line_with_what_else_its_chat_sends(redis: Redis) -> None:
    async def handle(_: RawUpdate) -> None:
        """Nobody does."""

    message = {"message_id": 1, "date": 0, "chat": CHAT}
    receiver, albums = Inbox(redis, "one", handle, KeyedExecutor(1)), Albums(redis, quiet=0.0)
    await receiver.receive([{"update_id": 1, "message": message}])
    await albums.add(*part(2))
    async with closing(albums):
        await inbox(redis, 2)
    await receiver.receive([{"update_id": 3, "message": message}, {"update_id": 4, "message": {"chat": {"id": 8}}}])
    entries: Any = await redis.xrange(redis_keys.INBOX)
    ids = [entry_id for entry_id, _ in entries]
    assert [fields["after"] for _, fields in entries] == ["", ids[0], ids[1], ""]
