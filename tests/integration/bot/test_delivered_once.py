"""One request, one picture: whatever dies, stops or goes away while it is delivered."""

import signal

import pytest

from app.bot.delivery.pictures import blank
from app.core import redis_keys
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import BotProcess, Person, picture
from tests.support.waiting import wait_until

HERE, PICK = "Here it is", "Which one shall I go on with?"
FOX, HARE = picture(), picture(colour="red")


def _asks(scene: Scene) -> tuple[Person, str]:
    """Somebody whose request is queued, and who knows it."""
    person = scene.person()
    person.say(f"a fox for {person.id}")
    request_id = scene.worker.waits_for_request(person)
    person.waits_for_text("On it!")
    return person, request_id


def _is_late(scene: Scene, method: str, person: Person, delay_s: float = 600) -> None:
    """Let Telegram do it, and answer much later: who dies meanwhile does not know that it is done."""
    scene.telegram.post("/control/faults", method=method, kind="delay", delay_s=delay_s, chat_id=person.id)


def _pending(scene: Scene) -> int:
    return int(scene.queue.client.xpending(redis_keys.EVENTS, redis_keys.EVENTS_GROUP)["pending"])


def _settled(scene: Scene) -> None:
    wait_until(lambda: _pending(scene) == 0, "all events are settled")


def _restart(bot: BotProcess) -> None:
    bot.kill()
    bot.start()


def _calls(scene: Scene, method: str, person: Person) -> int:
    """How often Telegram did something for a person."""
    calls = scene.telegram.get("/control/journal")["calls"]
    return sum(call["method"] == method and call["chat_id"] == person.id and call["status"] == 200 for call in calls)


def test_killed_while_it_waits_to_send_it_sends_after_the_restart(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    own_scene.telegram.post("/control/faults", method="editMessageMedia", status=429, retry_after=30)
    own_scene.worker.draw(request_id, FOX)
    own_scene.bot.until_logged("flood control: editMessageMedia")
    _restart(own_scene.bot)
    person.waits_for_pictures(1)
    _settled(own_scene)
    assert person.pictures() == [FOX]
    assert person.texts() == []


def test_killed_between_the_picture_and_its_record_nobody_sees_it_again(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    _is_late(own_scene, "editMessageMedia", person)
    own_scene.worker.draw(request_id, FOX)
    person.waits_for_pictures(1)
    _restart(own_scene.bot)
    _settled(own_scene)
    assert person.pictures() == [FOX]
    assert person.texts() == []
    person.say("/history")
    person.waits_for_pictures(2)


def test_killed_between_the_short_text_and_its_record_only_the_text_comes_twice(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    _is_late(own_scene, "sendMessage", person)
    own_scene.worker.draw(request_id, FOX)
    person.waits_for_text(HERE)
    _restart(own_scene.bot)
    person.waits_for_pictures(1)
    _settled(own_scene)
    assert person.pictures() == [FOX]
    assert person.texts() == [HERE]


def test_killed_between_an_album_and_its_record_only_its_blanks_come_twice(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    _is_late(own_scene, "sendMediaGroup", person)
    own_scene.worker.draw(request_id, FOX, HARE)
    person.waits_for_pictures(2)
    _restart(own_scene.bot)
    _settled(own_scene)
    assert person.pictures() == [blank(), blank(), FOX, HARE]
    assert person.texts() == [PICK]


@pytest.mark.parametrize("before", [0, 1])
def test_killed_within_an_album_it_goes_on_and_each_picture_is_seen_once(own_scene: Scene, before: int) -> None:
    person, request_id = _asks(own_scene)
    for _ in range(before):  # these are in time
        _is_late(own_scene, "editMessageMedia", person, delay_s=0)
    _is_late(own_scene, "editMessageMedia", person)
    own_scene.worker.draw(request_id, FOX, HARE)
    wait_until(lambda: (FOX, HARE)[before] in person.pictures(), "it is seen")
    _restart(own_scene.bot)
    _settled(own_scene)
    assert person.pictures() == [FOX, HARE]
    assert person.texts() == [PICK]
    assert _calls(own_scene, "sendMediaGroup", person) == 1


def test_killed_between_the_buttons_of_an_album_and_their_record_only_they_come_twice(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    _is_late(own_scene, "sendMessage", person)
    own_scene.worker.draw(request_id, FOX, HARE)
    person.waits_for_text(PICK)
    _restart(own_scene.bot)
    _settled(own_scene)
    assert person.pictures() == [FOX, HARE]
    assert person.texts() == [PICK, PICK]


def test_redis_goes_away_while_an_album_is_sent_and_it_is_sent_once(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    _is_late(own_scene, "sendMediaGroup", person, delay_s=3)
    own_scene.worker.draw(request_id, FOX, HARE)
    person.waits_for_pictures(2)
    own_scene.queue.stop()
    own_scene.bot.until_logged("waiting for Redis:")
    own_scene.queue.start()
    person.waits_for_text(PICK)
    _settled(own_scene)
    assert person.pictures() == [FOX, HARE]
    assert _calls(own_scene, "sendMediaGroup", person) == 1


def test_a_bot_that_was_stopped_takes_back_an_album_that_nobody_else_knows_of(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    stopped = own_scene.bot
    _is_late(own_scene, "sendMediaGroup", person, delay_s=3)
    own_scene.worker.draw(request_id, FOX, HARE)
    person.waits_for_pictures(2)
    stopped.signal(signal.SIGSTOP)
    own_scene.another_bot(2)
    wait_until(lambda: person.pictures()[2:] == [FOX, HARE], "the other sends an album of its own")
    stopped.signal(signal.SIGCONT)
    stopped.until_logged("another sender has taken over")
    _settled(own_scene)
    wait_until(lambda: person.pictures() == [FOX, HARE], "the blanks are gone")


def test_killed_after_the_record_it_sends_nothing_again(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    # The picture is sent and recorded; the event is not acknowledged while the status message is on its way out.
    _is_late(own_scene, "deleteMessage", person)
    own_scene.worker.draw(request_id, FOX)
    person.waits_for_pictures(1)
    wait_until(lambda: person.texts() == [], "Telegram has deleted the status message")
    assert _pending(own_scene) == 1
    _restart(own_scene.bot)
    _settled(own_scene)
    assert person.pictures() == [FOX]
    assert _calls(own_scene, "editMessageMedia", person) == 1


@pytest.mark.parametrize("late", ["sendMessage", "editMessageMedia"])
def test_redis_goes_away_while_something_is_sent_and_it_is_sent_once(own_scene: Scene, late: str) -> None:
    person, request_id = _asks(own_scene)
    sent_before = _calls(own_scene, "sendMessage", person)
    _is_late(own_scene, late, person, delay_s=3)
    own_scene.worker.draw(request_id, FOX)
    wait_until(lambda: HERE in person.texts() or person.pictures(), "it is sent")
    own_scene.queue.stop()
    own_scene.bot.until_logged("waiting for Redis:")  # the record does
    own_scene.queue.start()
    person.waits_for_pictures(1)
    _settled(own_scene)
    assert person.pictures() == [FOX]
    assert person.texts() == []
    assert _calls(own_scene, "sendMessage", person) == sent_before + 1
    assert _calls(own_scene, "editMessageMedia", person) == 1


def test_redis_goes_away_while_a_known_picture_is_sent_and_it_is_sent_once(own_scene: Scene) -> None:
    first, request_id = _asks(own_scene)
    own_scene.worker.draw(request_id, FOX)
    first.waits_for_pictures(1)
    person = own_scene.person()
    _is_late(own_scene, "sendPhoto", person, delay_s=3)
    person.say(f"a fox for {first.id}")
    person.waits_for_pictures(1)
    own_scene.queue.stop()
    own_scene.bot.until_logged("waiting for Redis:")
    own_scene.queue.start()
    _settled(own_scene)
    assert _calls(own_scene, "sendPhoto", person) == 1


def test_a_bot_that_was_stopped_sends_nothing_that_another_has_sent_meanwhile(own_scene: Scene) -> None:
    first, request_id = _asks(own_scene)
    own_scene.worker.draw(request_id, FOX)
    first.waits_for_pictures(1)
    person, stopped = own_scene.person(), own_scene.bot
    own_scene.telegram.post("/control/faults", method="sendPhoto", status=429, retry_after=3, chat_id=person.id)
    person.say(f"a fox for {first.id}")
    stopped.until_logged("flood control: sendPhoto")
    stopped.signal(signal.SIGSTOP)
    own_scene.another_bot(2)
    person.waits_for_pictures(1)
    stopped.signal(signal.SIGCONT)
    stopped.until_logged("sendPhoto: another sender has taken over")
    _settled(own_scene)
    assert person.pictures() == [FOX]


def test_a_bot_that_was_stopped_takes_back_what_nobody_else_knows_of(own_scene: Scene) -> None:
    person, request_id = _asks(own_scene)
    stopped = own_scene.bot
    _is_late(own_scene, "sendMessage", person, delay_s=3)
    own_scene.worker.draw(request_id, FOX)
    person.waits_for_text(HERE)
    stopped.signal(signal.SIGSTOP)
    own_scene.another_bot(2)
    person.waits_for_pictures(1)
    stopped.signal(signal.SIGCONT)
    stopped.until_logged("another sender has taken over")
    _settled(own_scene)
    wait_until(lambda: HERE not in person.texts(), "the text that became nothing is gone")
    assert person.pictures() == [FOX]
