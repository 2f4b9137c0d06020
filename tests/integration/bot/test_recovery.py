"""Redis comes back with less than it had: people and admins are told, and nothing is begun twice."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core import redis_keys
from tests.integration.bot.conftest import Scene, make_scene
from tests.integration.bot.harness import Person, picture
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

LOST = "I have lost track of this request"
ALERT = "Redis came back with less than it had."


class Copy:
    """The queue's data as they were at a moment."""

    def __init__(self, server: RedisServer, data: Path, place: Path) -> None:
        self._server, self._data, self._place = server, data, place
        shutil.copytree(data / "appendonlydir", place)

    def come_back(self) -> None:
        """Let Redis start with it."""
        self._server.kill()
        shutil.rmtree(self._data / "appendonlydir")
        shutil.copytree(self._place, self._data / "appendonlydir")
        self._server.start()


@pytest.fixture
def own_queue(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "queue")
    yield server
    server.assert_nothing_was_denied()
    server.stop()


@pytest.fixture
def lost_scene(
    tmp_path: Path, simulator: Simulator, own_queue: RedisServer, cache_server: RedisServer
) -> Iterator[Scene]:
    with make_scene(tmp_path, simulator, own_queue, cache_server) as scene:
        scene.admin().say("/start")
        scene.admin().waits_for_text("I turn words into pictures")
        yield scene


def asks(scene: Scene, text: str = "a fox", language: str = "en") -> tuple[Person, str]:
    person = scene.person(language)
    person.say(text)
    request_id = scene.worker.waits_for_request(person)
    wait_until(lambda: person.texts(), "the person is told where it stands")
    return person, request_id


def until_known(scene: Scene, ticks: int = 2) -> None:
    """Let the bot look at who waits."""
    before = int(scene.queue.client.hget(redis_keys.EPOCH, "tick") or 0)
    wait_until(
        lambda: int(scene.queue.client.hget(redis_keys.EPOCH, "tick") or 0) >= before + ticks,
        "the tick is raised",
    )


def told(person: Person, text: str) -> int:
    return sum(text in each for each in person.texts())


def test_an_emptied_redis_is_noticed_and_whoever_waited_is_told(lost_scene: Scene) -> None:
    english, _ = asks(lost_scene)
    russian, _ = asks(lost_scene, "лиса", "ru")
    until_known(lost_scene)
    lost_scene.queue.client.flushall()
    english.waits_for_text(LOST)
    russian.waits_for_text("Я потерял этот запрос")
    assert "2 were lost" in lost_scene.admin().waits_for_text(ALERT)
    again, request_id = asks(lost_scene, "an owl")  # it goes on
    lost_scene.worker.draw(request_id, picture())
    again.waits_for_pictures(1)
    assert (told(english, LOST), told(lost_scene.admin(), ALERT)) == (1, 1)


def test_with_an_older_copy_nothing_is_drawn_or_shown_twice(lost_scene: Scene, tmp_path: Path) -> None:
    served, request_id = asks(lost_scene)
    waiting, other_id = asks(lost_scene, "an owl")
    copy = Copy(lost_scene.queue, tmp_path / "queue", tmp_path / "copy")
    lost_scene.worker.draw(request_id, picture())
    served.waits_for_pictures(1)
    late, _ = asks(lost_scene, "a hare")
    until_known(lost_scene)
    copy.come_back()
    late.waits_for_text(LOST)
    waiting.waits_for_text(LOST)  # the copy has it as queued: it may have been drawn since
    lost_scene.admin().waits_for_text(ALERT)
    until_known(lost_scene)
    states = [lost_scene.queue.client.hget(redis_keys.request(each), "state") for each in (request_id, other_id)]
    assert states == ["failed", "failed"]  # whoever takes their jobs has nothing to do
    assert (len(served.pictures()), told(served, LOST)) == (1, 0)
    assert (told(late, LOST), told(waiting, LOST)) == (1, 1)
    assert other_id not in lost_scene.queue.client.zrange(redis_keys.OPEN_REQUESTS, 0, -1)


def test_a_copy_that_comes_with_a_reboot_is_noticed_too(lost_scene: Scene, tmp_path: Path) -> None:
    copy = Copy(lost_scene.queue, tmp_path / "queue", tmp_path / "copy")
    late, _ = asks(lost_scene)
    until_known(lost_scene)
    lost_scene.bot.kill()
    copy.come_back()
    lost_scene.bot.start()
    late.waits_for_text(LOST)
    lost_scene.admin().waits_for_text(ALERT)
    assert lost_scene.worker.queued(late) == []


def test_a_redis_that_knows_all_alarms_nobody(lost_scene: Scene) -> None:
    person, request_id = asks(lost_scene)
    for _ in range(3):
        lost_scene.queue.kill()
        lost_scene.queue.start()
        until_known(lost_scene)
    lost_scene.cache.client.flushall()
    lost_scene.bot.kill()
    lost_scene.bot.start()
    until_known(lost_scene)
    lost_scene.worker.draw(request_id, picture())
    person.waits_for_pictures(1)
    assert (told(person, LOST), told(lost_scene.admin(), ALERT)) == (0, 0)
