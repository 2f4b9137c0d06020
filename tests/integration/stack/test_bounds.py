"""Whatever people do, nothing stays in Redis for ever but what `redis_keys.BOUNDS` names, with what bounds it."""

import base64
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import httpx
import pytest
from redis import Redis

from app.bot.delivery.keyboards import CancelAllButton
from app.core import redis_keys
from tests.integration.bot.harness import Person, picture
from tests.simulators.client import Simulator
from tests.stack.stack import Stack
from tests.support import shipped
from tests.support.waiting import wait_until


class Telegram(Simulator):
    """The stack's own Telegram."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)


class Town:
    """A whole stack, and the people who write to its bot."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.telegram = Telegram(stack.telegram_url)
        self.queue = Redis.from_url(stack.queue_url, decode_responses=True)
        self.cache = Redis.from_url(stack.cache_url, decode_responses=True)
        self._ids = iter(range(501, 600))

    def person(self) -> Person:
        return Person(self.telegram, next(self._ids))

    def send_photos(self, person: Person, count: int, **more: Any) -> None:
        photos = [base64.b64encode(picture(320, 240)).decode()] * count
        self.telegram.post(f"/person/{person.id}/send", language_code="en", photos=photos, **more)

    def for_ever(self) -> set[str]:
        """Keys of both instances that have no time to live."""
        return {
            key for redis in (self.queue, self.cache) for key in redis.scan_iter(count=1000) if redis.ttl(key) == -1
        }


def bound(key: str) -> str:
    """What the table says of a key."""
    return next((words for pattern, words in redis_keys.BOUNDS.items() if fnmatchcase(key, pattern)), "")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    stack = Stack(
        tmp_path_factory.mktemp("town"),
        workers=1,
        environment=shipped.QUICK,
        fal_arguments=("--median", "0.5", "--p95", "1", "--picture-side", "256"),
    )
    with stack.running():
        yield Town(stack)


def test_what_a_busy_hour_leaves_in_redis_has_bounds(town: Town) -> None:
    anna, boris, clara, dora, emil = (town.person() for _ in range(5))
    for one in (anna, boris):  # Boris joins Anna's
        one.say("a fox in the snow [sim:latency=3]")
    clara.say("a quarrel [sim:policy]")
    dora.say("/batch\n" + "\n".join(f"a boat number {number} [sim:latency=20]" for number in range(20)))
    town.send_photos(emil, 3, caption="put these together")
    anna.waits_for_pictures(1)
    boris.waits_for_pictures(1)
    clara.say("a fox in the snow [sim:latency=3]")  # known by now
    clara.waits_for_pictures(1)
    anna.say("a bear [sim:latency=60]")
    wait_until(lambda: town.queue.zcard(redis_keys.OPEN_REQUESTS) > 15, "much is open")
    town.stack.kill("imageworker@1")
    assert {key for key in town.for_ever() if not bound(key)} == set()
    for one, words in (
        (anna, "/status"),
        (anna, "/history"),
        (boris, "/settings"),
        (boris, "/edit"),
        (emil, "/help"),
    ):
        one.say(words)
    for one in (anna, dora):
        one.forge(one.say("/cancel"), CancelAllButton().pack())
    wait_until(lambda: not town.queue.exists(redis_keys.OPEN_REQUESTS), "all requests have ended")
    ended = {town.queue.hget(key, "state") for key in town.queue.scan_iter(redis_keys.request("*"))}
    assert ended == {"done", "failed", "cancelled"}

    def left() -> set[str]:
        return {key for key in town.for_ever() if bound(key) in ("", redis_keys.WHILE_OPEN)}

    wait_until(lambda: not left(), "nothing of a request that has ended stays for ever")
