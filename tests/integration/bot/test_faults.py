"""What is around the bot breaks, or the bot itself."""

import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from app.core import redis_keys
from app.core.settings import EXIT_CONFIG
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import REPOSITORY, BotProcess, picture
from tests.support.waiting import wait_until


def test_killed_while_it_handles_updates_it_loses_none_and_queues_none_twice(own_scene: Scene) -> None:
    people = [own_scene.person() for _ in range(3)]
    own_scene.bot.until_logged("receiving updates")
    # The answers wait for flood control while the requests are queued already: there the bot dies.
    own_scene.telegram.post("/control/faults", method="sendMessage", status=429, retry_after=30, times=3)
    for person in people:
        person.say(f"a fox for {person.id}")  # who asks for the same joins, and waits in no queue
        own_scene.worker.waits_for_request(person)
    own_scene.bot.kill()
    people[0].say("a hare")
    own_scene.bot.start()
    for person in people:
        person.waits_for_text("On it!")
    wait_until(lambda: len(own_scene.worker.queued(people[0])) == 2, "the hare is queued")
    assert [len(own_scene.worker.queued(person)) for person in people] == [2, 1, 1]
    wait_until(lambda: len(people[0].texts()) == 2, "both are answered")
    assert own_scene.bot.terminate() == 0
    assert own_scene.queue.client.xlen(redis_keys.INBOX) == 0
    assert [len(person.texts()) for person in people] == [2, 1, 1]


def test_services_that_are_away_at_start_are_waited_for(own_scene: Scene) -> None:
    own_scene.bot.until_logged("receiving updates")
    own_scene.bot.kill()
    own_scene.queue.stop()
    own_scene.telegram.post("/control/faults", method="getMe", status=502, times=3)
    own_scene.bot.start()
    own_scene.bot.until_logged("waiting for Redis (queue)")
    own_scene.queue.start()
    own_scene.bot.until_logged("waiting for Telegram")
    own_scene.bot.until_logged("receiving updates", times=2)
    person = own_scene.person()
    person.say("a fox")
    person.waits_for_text("On it!")


def test_without_its_cache_the_bot_starts_takes_requests_and_delivers(own_scene: Scene) -> None:
    own_scene.bot.until_logged("receiving updates")
    own_scene.bot.kill()
    own_scene.cache.stop()
    try:
        own_scene.bot.start()
        own_scene.bot.until_logged("receiving updates", times=2)
        person = own_scene.person()
        person.say("a fox")
        own_scene.worker.draw(own_scene.worker.waits_for_request(person), picture())
        person.waits_for_pictures(1)
        assert "nobody's requests are counted for now" in own_scene.bot.log()
    finally:
        own_scene.cache.start()


def test_what_was_said_while_redis_was_away_is_answered_when_it_is_back(own_scene: Scene) -> None:
    own_scene.bot.until_logged("receiving updates")
    own_scene.queue.stop()
    person = own_scene.person()
    person.say("a fox")
    own_scene.bot.until_logged("waiting for Redis (received updates)")
    own_scene.queue.start()
    person.waits_for_text("On it!")
    own_scene.worker.draw(own_scene.worker.waits_for_request(person), picture())
    person.waits_for_pictures(1)
    assert own_scene.bot.log().count("waiting for Redis (received updates)") == 1


def test_a_full_redis_is_a_polite_refusal(own_scene: Scene) -> None:
    own_scene.bot.until_logged("receiving updates")
    person, admin = own_scene.person(), own_scene.admin()
    admin.say("/start")
    admin.waits_for_text("Hi!")
    own_scene.queue.client.config_set("maxmemory", "1mb")
    try:
        person.say("a fox")
        person.waits_for_text("I have run out of room")
        admin.waits_for_text("Redis' memory")
    finally:
        own_scene.queue.client.config_set("maxmemory", "0")
    assert own_scene.queue.client.keys("imagebot:request:*") == []
    person.say("a hare")
    person.waits_for_text("On it!")


def pending(scene: Scene) -> int:
    """How many events are in some bot's hands."""
    return int(cast(Any, scene.queue.client.xpending(redis_keys.EVENTS, redis_keys.EVENTS_GROUP))["pending"])


def test_what_is_drawn_while_redis_is_full_is_sent_and_summed_up_once(own_scene: Scene) -> None:
    anna, boris = own_scene.person(), own_scene.person()
    anna.say("a fox")
    boris.say("/batch\na hare\nan owl")
    single = own_scene.worker.waits_for_request(anna)
    anna.waits_for_text("On it!")
    boris.waits_for_text("pictures")
    listed = own_scene.queue.client.lrange("rq:queue:img_queue_low", 0, -1)
    own_scene.bot.signal(signal.SIGSTOP)
    for request_id in (single, *map(str, listed)):
        own_scene.worker.draw(request_id, picture())
    own_scene.queue.client.config_set("maxmemory", "1mb")
    own_scene.bot.signal(signal.SIGCONT)
    try:
        anna.waits_for_pictures(1)
        boris.waits_for_pictures(2)
        boris.waits_for_text("That was the whole batch.")
        wait_until(lambda: not any("On it!" in text for text in anna.texts()), "the status message is gone")
        wait_until(lambda: not pending(own_scene), "all events are settled")
    finally:
        own_scene.queue.client.config_set("maxmemory", "0")
    assert (len(anna.pictures()), len(boris.pictures())) == (1, 2)


def test_it_tells_systemd_when_it_works_and_when_it_stops(own_scene: Scene, tmp_path: Path) -> None:
    own_scene.bot.kill()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(30)
        own_scene.bot.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000")
        told: list[str] = []
        while "READY=1" not in told or "WATCHDOG=1" not in told[told.index("READY=1") :]:
            told += channel.recv(4096).decode().splitlines()
        own_scene.bot.tell_to_end()
        while "STOPPING=1" not in told:
            told += channel.recv(4096).decode().splitlines()
    assert own_scene.bot.exit_status(20) == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"telegram_token": ""}, ["IMAGEBOT_TELEGRAM_TOKEN"]),
        (
            {"telegram_token": "no token", "rate_limit_window": "0"},
            ["IMAGEBOT_TELEGRAM_TOKEN", "IMAGEBOT_RATE_LIMIT_WINDOW"],
        ),
    ],
)
def test_bad_settings_are_named_in_one_line(tmp_path: Path, settings: dict[str, str], named: list[str]) -> None:
    bot = BotProcess(tmp_path, **settings)
    assert bot.exit_status() == EXIT_CONFIG
    [line] = bot.log().splitlines()
    assert all(name in line for name in named)


def test_a_token_that_telegram_does_not_know_is_a_bad_setting(own_scene: Scene) -> None:
    own_scene.bot.kill()
    other = "1111111111:BBF-imaginary_token-for-tests-0123456789"
    own_scene.bot.start(IMAGEBOT_TELEGRAM_TOKEN=other)
    assert own_scene.bot.exit_status() == EXIT_CONFIG
    assert "IMAGEBOT_TELEGRAM_TOKEN: Telegram does not know it" in own_scene.bot.log().splitlines()[-1]
    assert other not in own_scene.bot.log()


def test_the_worker_s_side_is_not_needed_to_import_the_bot() -> None:
    """Imports run one way: neither side imports the other."""
    check = "import sys, app.bot.__main__; sys.exit(any(name.startswith('app.worker') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=False).returncode == 0
