"""Whatever people send, the bot has no accident with it.

The same examples each time; `make hostile` tries others for ten minutes.
"""

import itertools
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core import redis_keys
from tests.hostile import updates
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import Person
from tests.support.waiting import wait_until

JSON = dict[str, Any]
UPDATE_IDS = itertools.count(1)
"""Numbers that Telegram has used long ago: those of the simulator are larger."""


def deliver(scene: Scene, update: JSON) -> None:
    """Let Telegram deliver an update; JSON can hold halves of surrogate pairs, which httpx' own encoder can't."""
    body = json.dumps({"update_id": next(UPDATE_IDS), **update}).encode()
    scene.telegram.http.post("/control/redeliver", content=body).raise_for_status()


def newcomer(scene: Scene) -> Person:
    person = scene.person()
    person.say("/start")
    person.waits_for_text("I turn words into pictures")
    return person


def until_handled(scene: Scene) -> None:
    wait_until(lambda: scene.queue.client.xlen(redis_keys.INBOX) == 0, "all is handled", seconds=300)
    wait_until(lambda: scene.queue.client.zcard(redis_keys.ALBUMS) == 0, "all albums are handled")
    wait_until(lambda: scene.queue.client.xlen(redis_keys.INBOX) == 0, "what albums became is handled")


def assert_others_are_served(scene: Scene) -> None:
    other = scene.person()
    other.say("/help")
    other.waits_for_text("Words alone")
    log = scene.bot.log()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:4000]
    assert "could not be handled" not in log
    assert updates.SECRET_WISH not in scene.bot.log()


def test_whatever_people_send_has_an_answer_and_no_traceback(scene: Scene) -> None:
    people = [newcomer(scene) for _ in range(8)]

    @settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(who=st.sampled_from([each.id for each in people]), draw=st.data())
    def send(who: int, draw: st.DataObject) -> None:
        deliver(scene, draw.draw(updates.updates(who) | updates.spoiled(who)))

    send()
    until_handled(scene)
    assert_others_are_served(scene)


def test_what_has_no_known_shape_is_set_aside_at_once_and_its_chat_goes_on(scene: Scene) -> None:
    senders = {name: newcomer(scene) for name in updates.UNREADABLE}
    scene.queue.client.delete(redis_keys.INBOX_ASIDE)  # it keeps a hundred, and others have been set aside before
    for name, make in updates.UNREADABLE.items():
        deliver(scene, make(senders[name].id))
        senders[name].say("/help")
    for name, sender in senders.items():
        sender.waits_for_text("Words alone")
        if name not in updates.NOBODYS:
            sender.waits_for_text("can't read this kind of message")
    until_handled(scene)
    assert scene.queue.client.xlen(redis_keys.INBOX_ASIDE) == len(updates.UNREADABLE)
    assert [name for name, sender in senders.items() if scene.worker.queued(sender)] == []
    assert_others_are_served(scene)


def test_what_means_nothing_gets_a_sentence_or_silence_and_nothing_is_queued(scene: Scene) -> None:
    senders = {name: newcomer(scene) for name in updates.ODD}
    for name, make in updates.ODD.items():
        deliver(scene, make(senders[name].id))
    until_handled(scene)
    assert_others_are_served(scene)
    assert {name: sender.texts()[1:] for name, sender in senders.items() if len(sender.texts()) > 2} == {}
    assert [name for name, sender in senders.items() if scene.worker.queued(sender)] == []
