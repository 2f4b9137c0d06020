"""Several instances of the bot: standing by while one polls, or all taking what Telegram pushes."""

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bot.updates.webhook import BODY_MAX, SECRET_HEADER
from app.core import redis_keys
from app.core.settings import EXIT_CONFIG
from tests.hostile import updates
from tests.hostile.webhook_requests import SECRET
from tests.integration.bot.conftest import Scene, make_scene
from tests.integration.bot.harness import TOKEN, BotProcess, Person, picture
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


def text_of(update_id: int, person: int, text: str) -> dict[str, Any]:
    """An update as Telegram pushes it."""
    who = {"id": person, "first_name": "Vera", "is_bot": False, "language_code": "en"}
    chat = {"id": person, "type": "private", "first_name": "Vera"}
    message = {"message_id": update_id, "date": 1_700_000_000, "chat": chat, "from": who, "text": text}
    return {"update_id": update_id, "message": message}


def is_answered(person: Person, scene: Scene) -> None:
    """A prompt is taken, and its picture comes once."""
    person.say("a fox")
    scene.worker.draw(scene.worker.waits_for_request(person), picture())
    person.waits_for_pictures(1)
    wait_until(lambda: scene.queue.client.xpending(redis_keys.EVENTS, "bot")["pending"] == 0, "all are acknowledged")
    assert len(person.pictures()) == 1


class TestPolling:
    """One instance receives, the others stand by; all of them handle and deliver."""

    def test_only_one_polls(self, own_scene: Scene) -> None:
        def conflicts() -> int:
            return int(own_scene.telegram.get("/control/outcomes")["getUpdates"].get("409", 0))

        own_scene.bot.until_logged("receiving updates")
        before = conflicts()  # the last test's bot may have been killed in the middle of a request
        other = own_scene.another_bot(2)
        other.until_logged("standing by while imagebot@1 receives updates")
        is_answered(own_scene.person(), own_scene)
        assert conflicts() == before
        assert "receiving updates\n" not in other.log().replace("imagebot@1 receives updates", "")

    def test_when_it_is_killed_another_takes_over_and_it_stands_by_after_its_restart(self, own_scene: Scene) -> None:
        own_scene.bot.until_logged("receiving updates")
        other = own_scene.another_bot(2)
        other.until_logged("standing by")
        own_scene.bot.kill()
        person = own_scene.person()
        person.say("a hare")
        other.until_logged("receiving updates")
        own_scene.bot.start()
        own_scene.bot.until_logged("standing by while imagebot@2 receives updates")
        person.waits_for_text("On it!")
        is_answered(own_scene.person(), own_scene)

    def test_when_it_is_stopped_another_takes_over_at_once(self, own_scene: Scene) -> None:
        own_scene.bot.until_logged("receiving updates")
        other = own_scene.another_bot(2)
        other.until_logged("standing by")
        assert own_scene.bot.terminate() == 0
        assert own_scene.queue.client.get(redis_keys.POLLER) != "imagebot@1"
        other.until_logged("receiving updates")
        is_answered(own_scene.person(), own_scene)

    def test_who_lost_the_lock_stops_polling(self, own_scene: Scene) -> None:
        own_scene.bot.until_logged("receiving updates")
        own_scene.queue.client.set(redis_keys.POLLER, "imagebot@2", px=3000)
        own_scene.bot.until_logged("standing by while imagebot@2 receives updates")
        own_scene.bot.until_logged("receiving updates", times=2)  # the other has died
        is_answered(own_scene.person(), own_scene)

    def test_what_the_dead_one_had_in_hand_the_other_does_and_does_once(self, own_scene: Scene) -> None:
        people = [own_scene.person() for _ in range(3)]
        own_scene.bot.until_logged("receiving updates")
        # The answers wait for flood control while the requests are queued already: there the bot dies.
        own_scene.telegram.post("/control/faults", method="sendMessage", status=429, retry_after=60, times=3)
        for person in people:
            person.say(f"a fox for {person.id}")
            own_scene.worker.waits_for_request(person)
        own_scene.bot.kill()
        other = own_scene.another_bot(2)
        for person in people:
            person.waits_for_text("On it!")
        assert other.terminate() == 0
        assert own_scene.queue.client.xlen(redis_keys.INBOX) == 0
        assert [len(own_scene.worker.queued(person)) for person in people] == [1, 1, 1]
        assert [len(person.texts()) for person in people] == [1, 1, 1]

    def test_a_picture_that_the_dead_one_was_sending_comes_from_the_other(self, own_scene: Scene) -> None:
        person = own_scene.person()
        person.say("a fox")
        request_id = own_scene.worker.waits_for_request(person)
        person.waits_for_text("On it!")
        own_scene.telegram.post("/control/faults", method="editMessageMedia", status=429, retry_after=60)
        own_scene.worker.draw(request_id, picture())
        own_scene.bot.until_logged("flood control: editMessageMedia")
        own_scene.bot.kill()
        own_scene.another_bot(2)
        person.waits_for_pictures(1)
        wait_until(lambda: person.texts() == [], "the status message is gone")
        assert len(person.pictures()) == 1


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def address(bot: BotProcess) -> str:
    return f"http://{bot.settings['webhook_listen']}/telegram"


def webhook_settings() -> dict[str, str]:
    listen = f"127.0.0.1:{_free_port()}"
    return {
        "bot_mode": "webhook",
        "webhook_listen": listen,
        "webhook_url": f"http://{listen}/telegram",
        "webhook_secret": SECRET,
    }


@contextmanager
def _hooked(directory: Path, telegram: Simulator, queue: RedisServer, cache: RedisServer) -> Iterator[Scene]:
    with make_scene(directory, telegram, queue, cache, **webhook_settings()) as scene:
        scene.bot.until_logged("receiving updates")
        yield scene
        scene.telegram.post(f"/bot{TOKEN}/deleteWebhook")
        assert SECRET not in scene.bot.log()


@pytest.fixture(scope="class")
def hooked(
    tmp_path_factory: pytest.TempPathFactory,
    simulator: Simulator,
    queue_server: RedisServer,
    cache_server: RedisServer,
) -> Iterator[Scene]:
    """A bot with a webhook, for all tests of a class."""
    with _hooked(tmp_path_factory.mktemp("hooked"), simulator, queue_server, cache_server) as scene:
        yield scene


@pytest.fixture
def own_hooked(
    tmp_path: Path, simulator: Simulator, queue_server: RedisServer, cache_server: RedisServer
) -> Iterator[Scene]:
    """A bot with a webhook that a test may kill."""
    with _hooked(tmp_path, simulator, queue_server, cache_server) as scene:
        yield scene


def another_hooked(scene: Scene) -> BotProcess:
    """A second instance beside the first; Telegram pushes to the first, the test to both."""
    first = scene.bot.settings["webhook_url"]
    other = scene.another_bot(2, webhook_listen=f"127.0.0.1:{_free_port()}", webhook_url=first)
    other.until_logged("receiving updates")
    return other


def push(bot: BotProcess, update: dict[str, Any], secret: str = SECRET) -> int:
    return httpx.post(address(bot), json=update, headers={SECRET_HEADER: secret}, timeout=60).status_code


class TestWebhook:
    """Every instance receives, handles and delivers."""

    def test_pushed_updates_are_answered(self, hooked: Scene) -> None:
        told = hooked.telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]
        assert told["url"] == hooked.bot.settings["webhook_url"]
        is_answered(hooked.person(), hooked)

    def test_nobody_but_telegram_is_listened_to(self, hooked: Scene) -> None:
        update = text_of(5001, hooked.person().id, "a fox")
        for secret in ("", "another-secret-of-webhook", SECRET[:-1], f"{SECRET}x", "\xff"):
            given = {SECRET_HEADER.encode(): secret.encode("latin-1")}
            assert httpx.post(address(hooked.bot), json=update, headers=given).status_code == 403
        assert httpx.post(address(hooked.bot), json=update).status_code == 403
        assert httpx.get(address(hooked.bot)).status_code == 405
        assert hooked.queue.client.exists(redis_keys.received_update(5001)) == 0

    @pytest.mark.parametrize("body", list(updates.BODIES))
    def test_what_is_no_update_is_refused(self, hooked: Scene, body: str) -> None:
        answer = httpx.post(
            address(hooked.bot), content=updates.BODIES[body], headers={SECRET_HEADER: SECRET}, timeout=60
        )
        assert answer.status_code == 400
        assert "Traceback" not in hooked.bot.log()

    def test_too_large_a_body_is_refused_and_an_update_of_no_known_kind_taken(self, hooked: Scene) -> None:
        for body, status in [
            (b"x" * (BODY_MAX + 1), 413),
            (b'{"update_id": 6001}', 200),
            (b'{"update_id": 6002, "news": {"chat": {"id": "x"}, "from": []}}', 200),
        ]:
            answer = httpx.post(address(hooked.bot), content=body, headers={SECRET_HEADER: SECRET})
            assert answer.status_code == status, body
        wait_until(lambda: hooked.queue.client.xlen(redis_keys.INBOX) == 0, "the inbox is empty")
        assert "Traceback" not in hooked.bot.log()

    def test_what_says_it_is_compressed_is_not_unpacked(self, hooked: Scene) -> None:
        update = b'{"update_id": 6003}'
        for body in (update, gzip.compress(update), b"\x1f\x8bnonsense"):
            headers = {SECRET_HEADER: SECRET, "Content-Encoding": "gzip"}
            assert httpx.post(address(hooked.bot), content=body, headers=headers).status_code == 415
        assert hooked.queue.client.exists(redis_keys.received_update(6003)) == 0
        assert "Traceback" not in hooked.bot.log()

    def test_half_a_surrogate_pair_is_a_character_like_any_other(self, hooked: Scene) -> None:
        person = hooked.person()
        person.say("/start")
        person.waits_for_text("I turn words into pictures")
        body = json.dumps(text_of(6004, person.id, "a fox \ud800 in the snow")).encode()
        assert b"\\ud800" in body
        answer = httpx.post(address(hooked.bot), content=body, headers={SECRET_HEADER: SECRET})
        assert answer.status_code == 200
        assert hooked.worker.waits_for_request(person) == "u6004"

    def test_an_update_that_comes_to_two_instances_is_handled_once(self, hooked: Scene) -> None:
        other, person = another_hooked(hooked), hooked.person()
        person.say("/start")
        person.waits_for_text("I turn words into pictures")
        for number in range(3):
            for bot in (hooked.bot, other, other):
                assert push(bot, text_of(5000 + number, person.id, f"fox {number}")) == 200
        wait_until(lambda: len(hooked.worker.queued(person)) == 3, "all are queued")
        wait_until(lambda: hooked.queue.client.xlen(redis_keys.INBOX) == 0, "the inbox is empty")
        assert sorted(hooked.worker.queued(person)) == ["u5000", "u5001", "u5002"]

    def test_while_redis_is_away_telegram_is_asked_to_send_again(self, hooked: Scene) -> None:
        person = hooked.person()
        hooked.queue.stop()
        assert push(hooked.bot, text_of(5010, person.id, "a hare")) == 503
        tried = hooked.telegram.get("/control/updates")["webhook_attempts"]
        person.say("a bear")
        wait_until(lambda: hooked.telegram.get("/control/updates")["webhook_attempts"] > tried, "Telegram has tried")
        hooked.queue.start()
        person.waits_for_text("On it!")
        assert len(hooked.worker.queued(person)) == 1

    def test_a_full_redis_is_a_polite_refusal(self, hooked: Scene) -> None:
        person = hooked.person()
        hooked.queue.client.config_set("maxmemory", "1mb")
        try:
            person.say("a wolf")
            person.waits_for_text("Please send it again in a few minutes")  # no room, or found full just now
        finally:
            hooked.queue.client.config_set("maxmemory", "0")


class TestWebhookAndDeath:
    """What one instance took, or Telegram did not get rid of, is not lost."""

    def test_what_one_took_and_did_not_handle_the_other_handles(self, own_hooked: Scene) -> None:
        person = own_hooked.person()
        own_hooked.telegram.post("/control/faults", method="sendMessage", status=429, retry_after=60)
        person.say("a fox")
        own_hooked.worker.waits_for_request(person)
        own_hooked.bot.until_logged("flood control: sendMessage")
        other = another_hooked(own_hooked)
        own_hooked.bot.kill()
        person.waits_for_text("On it!")
        assert other.terminate() == 0
        assert len(own_hooked.worker.queued(person)) == 1
        assert len(person.texts()) == 1

    def test_back_to_polling_and_nothing_is_lost_on_the_way(self, own_hooked: Scene) -> None:
        assert own_hooked.bot.terminate() == 0
        person = own_hooked.person()
        person.say("a fox")
        own_hooked.bot.settings["bot_mode"] = "polling"
        own_hooked.bot.start()
        person.waits_for_text("On it!")
        assert own_hooked.telegram.get(f"/bot{TOKEN}/getWebhookInfo")["result"]["url"] == ""

    def test_what_telegram_refuses_is_told_and_tried_again(self, own_hooked: Scene) -> None:
        own_hooked.bot.kill()
        own_hooked.telegram.post("/control/settings", webhook_https_only=True)
        own_hooked.bot.start()
        own_hooked.bot.until_logged("An HTTPS URL must be provided")
        own_hooked.telegram.post("/control/settings", webhook_https_only=False)
        own_hooked.bot.until_logged("receiving updates", times=2)


def test_a_webhook_without_address_and_secret_is_a_bad_setting(tmp_path: Path) -> None:
    bot = BotProcess(tmp_path, telegram_token=TOKEN, bot_mode="webhook", webhook_secret="short")
    assert bot.exit_status() == EXIT_CONFIG
    [told] = bot.log().splitlines()
    assert "IMAGEBOT_WEBHOOK_URL" in told
    assert "IMAGEBOT_WEBHOOK_SECRET" in told
