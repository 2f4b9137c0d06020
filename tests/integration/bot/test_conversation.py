"""People talk to the real bot."""

import pytest

from app.core import redis_keys
from app.core.errors import FailureReason
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import TOKEN, picture
from tests.support.waiting import wait_until


def test_a_prompt_becomes_a_picture(scene: Scene) -> None:
    anna = scene.person("ru")
    anna.say("/start")
    anna.waits_for_text("Я превращаю слова в картинки")
    prompt = anna.say("рыжая лиса спит на снегу")
    anna.waits_for_text("Принято!")
    request_id = scene.worker.waits_for_request(anna)
    scene.worker.submit(request_id)
    anna.waits_for_text("Рисую…")
    scene.worker.draw(request_id, picture())
    anna.waits_for_pictures(1)
    wait_until(lambda: "Рисую…" not in anna.texts(), "the status message is gone")
    [photo] = [message for message in anna.seen() if message["photo"]]
    assert photo["reply_to"] == prompt


def test_what_is_no_prompt_gets_a_friendly_answer_and_is_not_queued(scene: Scene) -> None:
    boris = scene.person()
    for text, answer in [
        ("\u200b\u2060\ufeff", "can't see any words"),
        ("x" * 2001, "whole story"),
        ("/draw a fox", "don't know this command"),
    ]:
        boris.say(text)
        boris.waits_for_text(answer)
    assert scene.worker.queued(boris) == []


def test_three_requests_at_a_time_and_ten_messages_a_minute_are_taken_and_the_refusal_says_why(scene: Scene) -> None:
    vera, other = scene.person(), scene.person()
    for number in range(11):
        vera.say(f"fox number {number}")
    assert "second" in vera.waits_for_text("catch my breath")
    assert len(scene.worker.queued(vera)) == 3
    assert sum("3 pictures in the making" in text for text in vera.texts()) == 7
    other.say("a hare")
    other.waits_for_text("You are #")


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [(FailureReason.POLICY, "not allowed to draw"), (FailureReason.OUT_OF_MONEY, "paused for now")],
)
def test_a_failure_is_told_and_takes_the_status_message_with_it(
    scene: Scene, reason: FailureReason, sentence: str
) -> None:
    person = scene.person()
    person.say(f"fox {person.id}")
    person.waits_for_text("On it!")
    scene.worker.fail(scene.worker.waits_for_request(person), reason)
    wait_until(lambda: len(person.texts()) == 1 and sentence in person.texts()[0], "one sentence is left")


def test_a_picture_too_long_for_a_photo_comes_as_a_document(scene: Scene) -> None:
    person = scene.person()
    person.say("a very long fox")
    long_picture = picture(2100, 100)
    scene.worker.draw(scene.worker.waits_for_request(person), long_picture)
    person.waits_for_pictures(1)
    assert person.pictures() == [long_picture]
    assert all(message["photo"] is None for message in person.seen())


def test_an_update_that_telegram_sends_twice_is_answered_once(scene: Scene) -> None:
    person, other = scene.person(), scene.person()
    message_id = person.say("/help")
    person.waits_for_text("Words alone")
    chat = {"id": person.id, "type": "private", "first_name": "P"}
    sender = {"id": person.id, "is_bot": False, "first_name": "P", "language_code": "en"}
    update_id = max(int(str(key).split(":")[-1]) for key in scene.queue.client.scan_iter("imagebot:update:*"))
    message = {"message_id": message_id, "date": 0, "chat": chat, "from": sender, "text": "/help"}
    scene.telegram.post("/control/redeliver", update_id=update_id, message=message)
    other.say("/help")
    other.waits_for_text("Words alone")
    assert len(person.texts()) == 1


def test_an_event_that_is_read_twice_sends_one_picture(scene: Scene) -> None:
    person, other = scene.person(), scene.person()
    for each in (person, other):
        each.say(f"fox {each.id}")
    request_id = scene.worker.waits_for_request(person)
    scene.worker.draw(request_id, picture())
    person.waits_for_pictures(1)
    scene.queue.client.xadd(redis_keys.EVENTS, {"type": "done", "request_id": request_id})
    scene.worker.draw(scene.worker.waits_for_request(other), picture())
    other.waits_for_pictures(1)
    wait_until(lambda: scene.queue.client.xpending(redis_keys.EVENTS, "bot")["pending"] == 0, "all are acknowledged")
    assert len(person.pictures()) == 1


def test_flood_control_errors_and_lost_connections_are_waited_out(scene: Scene) -> None:
    person = scene.person()
    person.say(f"fox {person.id}")
    request_id = scene.worker.waits_for_request(person)
    for fault in ({"status": 429, "retry_after": 1}, {"status": 502}, {"kind": "drop"}):
        scene.telegram.post("/control/faults", method="sendPhoto", chat_id=person.id, **fault)
    scene.worker.draw(request_id, picture())
    person.waits_for_pictures(1)
    assert len(person.pictures()) == 1


def test_who_has_blocked_the_bot_is_dropped_and_others_go_on(scene: Scene) -> None:
    person, other = scene.person(), scene.person()
    for each in (person, other):
        each.say(f"fox {each.id}")
    requests = [scene.worker.waits_for_request(each) for each in (person, other)]
    person.post("block")
    for request_id in requests:
        scene.worker.draw(request_id, picture())
    other.waits_for_pictures(1)
    wait_until(lambda: scene.queue.client.xpending(redis_keys.EVENTS, "bot")["pending"] == 0, "all are acknowledged")


def test_who_blocks_the_bot_and_comes_back_gets_what_was_drawn_meanwhile(scene: Scene) -> None:
    person = scene.person()
    person.say(f"fox {person.id}")
    request_id = scene.worker.waits_for_request(person)
    person.waits_for_text("On it!")
    person.post("block")
    scene.worker.draw(request_id, picture())
    wait_until(lambda: scene.queue.client.hexists(redis_keys.ledger_entry(request_id), "ended"), "it can't be sent")
    wait_until(lambda: scene.queue.client.xpending(redis_keys.EVENTS, "bot")["pending"] == 0, "all are acknowledged")
    person.post("unblock")
    person.waits_for_pictures(1)
    person.say("/history")
    person.waits_for_pictures(2)
    person.say("/help")
    person.waits_for_text("/merge")
    assert person.pictures() == [picture()] * 2


def test_the_menu_has_the_commands_in_both_languages(scene: Scene) -> None:
    scene.bot.until_logged("receiving updates")
    languages: list[dict[str, str]] = [{}, {"language_code": "ru"}]
    menus = [scene.telegram.post(f"/bot{TOKEN}/getMyCommands", **each)["result"] for each in languages]
    assert [command["command"] for command in menus[0]] == [command["command"] for command in menus[1]]
    assert menus[0] != menus[1]


def test_what_a_client_cuts_is_one_prompt_and_is_refused_once(scene: Scene) -> None:
    person = scene.person()
    person.say("fox " * 1500)
    person.waits_for_text("It has 5,999 characters")
    person.say(f"a hare {person.id}")
    request_id = scene.worker.waits_for_request(person)
    assert scene.worker.queued(person) == [request_id]
    assert len([text for text in person.texts() if "whole story" in text]) == 1


def test_a_list_that_a_client_cuts_is_one_list(scene: Scene) -> None:
    person = scene.person("ru")
    lines = [f"{number} of {person.id} " + "x" * 700 for number in range(10)]
    person.say("/batch " + "\n".join(lines))
    person.waits_for_text("В списке 10 картинок")
