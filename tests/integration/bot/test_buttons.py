"""People press buttons of the real bot."""

import pytest

from app.core import redis_keys
from app.core.errors import FailureReason
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import Person, picture
from tests.support.waiting import wait_until


def drawn(scene: Scene, person: Person, data: bytes | None = None) -> str:
    """Let a person have a picture of their own; give the request's id."""
    person.say(f"fox {person.id}")
    request_id = scene.worker.waits_for_request(person)
    scene.worker.draw(request_id, data or picture())
    person.waits_for_pictures(1)
    return request_id


def test_again_brings_another_picture_of_the_same(scene: Scene) -> None:
    person = scene.person()
    drawn(scene, person)
    person.press(person.waits_for_message("photo"), "🔄 Again")
    scene.worker.draw(scene.worker.waits_for_request(person), picture(colour="red"))
    person.waits_for_pictures(2)
    assert len(set(person.pictures())) == 2


def test_the_same_words_bring_the_same_picture_without_another_upload(scene: Scene) -> None:
    person, other = scene.person(), scene.person()
    drawn(scene, person)
    other.say(f"fox {person.id}")
    other.waits_for_pictures(1)
    assert other.waits_for_message("photo")["photo"] == person.waits_for_message("photo")["photo"]
    assert scene.worker.queued(other) == []


def test_whoever_asks_for_what_is_just_being_drawn_gets_it_too(scene: Scene) -> None:
    person, other = scene.person(), scene.person()
    person.say(f"fox {person.id}")
    request_id = scene.worker.waits_for_request(person)
    other.say(f"fox {person.id}")
    other.waits_for_text("On it!")
    scene.worker.draw(request_id, picture())
    for each in (person, other):
        each.waits_for_pictures(1)
    assert scene.worker.queued(other) == []


def test_one_of_several_pictures_is_picked_and_made_larger(scene: Scene) -> None:
    person = scene.person()
    person.say(f"fox {person.id}")
    scene.worker.draw(scene.worker.waits_for_request(person), picture(), picture(colour="red"))
    buttons = person.waits_for_message_with("Which one")
    person.press(buttons, "2")
    wait_until(lambda: "🔍 Upscale" in str(person.waits_for_message_with("Which one")["buttons"]), "it is offered")
    person.press(person.waits_for_message_with("Which one"), "🔍 Upscale")
    request_id = scene.worker.waits_for_request(person)
    assert '-1.jpg"]' in str(scene.queue.client.hget(redis_keys.request(request_id), "request"))


def test_edit_leads_to_an_edited_picture(scene: Scene) -> None:
    person = scene.person()
    drawn(scene, person)
    person.press(person.waits_for_message("photo"), "✏️ Edit")
    wait_until(lambda: person.texts(), "the bot asks what to change")
    person.say(f"make it blue {person.id}")
    request_id = scene.worker.waits_for_request(person)
    scene.worker.draw(request_id, picture(colour="blue"))
    person.waits_for_pictures(2)


def test_a_question_shows_its_picture_and_start_leaves_it(scene: Scene) -> None:
    person = scene.person("ru")
    drawn(scene, person)
    shown = person.waits_for_message("photo")
    person.press(shown, "✏️ Изменить")
    question = person.waits_for_message_with("Что изменить?")
    assert question["reply_to"] == shown["message_id"]
    person.say("/start")
    person.waits_for_text("Привет!")
    assert "Что изменить?" not in "".join(person.texts())
    person.say(f"a hare {person.id}")
    request_id = scene.worker.waits_for_request(person)
    assert '"operation": "create"' in str(scene.queue.client.hget(redis_keys.request(request_id), "request"))


@pytest.mark.parametrize(("language", "button"), [("en", "Try again"), ("ru", "Ещё раз")])
def test_what_failed_is_tried_again_with_one_press(scene: Scene, language: str, button: str) -> None:
    person = scene.person(language)
    person.say(f"fox {person.id}")
    first = scene.worker.waits_for_request(person)
    scene.worker.fail(first, FailureReason.TIMED_OUT)
    wait_until(lambda: any(button in str(message["buttons"]) for message in person.seen()), "the news come")
    [news] = [message for message in person.seen() if button in str(message["buttons"])]
    person.press(news, button)
    wait_until(lambda: any(request != first for request in scene.worker.queued(person)), "it is queued again")


def test_the_file_is_what_was_drawn_to_the_last_byte(scene: Scene) -> None:
    person, original = scene.person(), picture(640, 480)
    drawn(scene, person, original)
    person.press(person.waits_for_message("photo"), "📄 File")
    document = person.waits_for_message("document")
    assert original in person.pictures()
    person.press(person.waits_for_message("photo"), "📄 File")
    wait_until(lambda: len(person.pictures()) == 3, "it comes again")
    assert person.waits_for_message("document")["document"]["file_id"] == document["document"]["file_id"]


def test_a_queued_request_is_cancelled_by_its_owner_only(scene: Scene) -> None:
    person, stranger = scene.person(), scene.person()
    person.say(f"fox {person.id}")
    status = person.waits_for_message("text")
    [request_id] = wait_until(lambda: scene.worker.queued(person), "it is queued")
    stranger.say("/help")
    stranger.forge(stranger.waits_for_message("text")["message_id"], f"x:{request_id}:0")
    stranger.waits_for_answer("This button has had its day")
    assert scene.worker.queued(person) == [request_id]
    person.press(status, "Cancel")
    person.waits_for_answer("Cancelled.")
    wait_until(lambda: person.texts() == ["Cancelled."], "the status message is gone")
    assert scene.worker.queued(person) == []


@pytest.mark.parametrize("data", ["r:again:u1:0", "h:7", "x:u1:1", "xx", "\u202er:\u0000", "🦊"])
def test_a_forged_button_is_answered_politely(scene: Scene, data: str) -> None:
    person = scene.person()
    person.say("/help")
    person.forge(person.waits_for_message("text")["message_id"], data)
    wait_until(person.answers, "the button is answered")
    assert scene.worker.queued(person) == []
    assert "Traceback" not in scene.bot.log()


def test_history_turns_its_pages(scene: Scene) -> None:
    person = scene.person()
    drawn(scene, person)
    newest = person.waits_for_message("photo")["photo"]
    person.press(person.waits_for_message("photo"), "🎲 Variation")
    scene.worker.draw(scene.worker.waits_for_request(person), picture(colour="red"))
    person.waits_for_pictures(2)
    person.say("/history")
    person.waits_for_pictures(3)
    page = person.waits_for_message("photo")
    assert page["caption"].startswith("1 of 2")
    person.press(page, "Older ▶")
    wait_until(lambda: person.waits_for_message("photo")["photo"] == newest, "the older picture is shown")
    assert person.waits_for_message("photo")["caption"].startswith("2 of 2")


def test_status_lists_and_cancels(scene: Scene) -> None:
    person = scene.person("ru")
    person.say(f"лиса {person.id}")
    scene.worker.waits_for_request(person)
    person.say("/status")
    person.waits_for_text("Ваши запросы:")
    [listed] = [message for message in person.seen() if "Ваши запросы:" in (message["text"] or "")]
    person.press(listed, "✖ 1")
    person.waits_for_text("Для вас сейчас ничего не рисуется")
    person.waits_for_text("Отменено.")
    assert scene.worker.queued(person) == []


@pytest.mark.parametrize(
    ("language", "button", "told"),
    [("en", "Cancel all", "3 requests are cancelled."), ("ru", "Отменить всё", "Отменены 3 запроса.")],
)
def test_all_are_cancelled_in_one_message(scene: Scene, language: str, button: str, told: str) -> None:
    person = scene.person(language)
    for number in range(3):
        person.say(f"fox {number} of {person.id}")
    wait_until(lambda: len(scene.worker.queued(person)) == 3, "all are queued")
    person.say("/cancel")
    wait_until(lambda: any("✖ 1" in str(message["buttons"]) for message in person.seen()), "they are listed")
    [listed] = [message for message in person.seen() if "✖ 1" in str(message["buttons"])]
    person.press(listed, button)
    wait_until(lambda: person.texts() == [told], "that is all that is left to see")
    assert scene.worker.queued(person) == []
    events = (redis_keys.EVENTS, redis_keys.EVENTS_GROUP)
    wait_until(lambda: scene.queue.client.xpending(*events)["pending"] == 0, "all events are settled")
    assert person.texts() == [told]


def test_a_batch_comes_picture_by_picture_and_is_summed_up(scene: Scene) -> None:
    person = scene.person()
    person.say(f"/batch fox {person.id}\nhare {person.id}\nowl {person.id}")
    low = "rq:queue:img_queue_low"
    fox, hare, owl = wait_until(lambda: (ids := scene.queue.client.lrange(low, 0, -1))[2:] and ids, "all are queued")
    scene.worker.draw(hare, picture())
    scene.worker.fail(fox, FailureReason.POLICY)
    scene.worker.draw(owl, picture(colour="red"))
    summary = person.waits_for_text("That was the whole batch.")
    assert summary.splitlines()[1:] == ["✅ 2 pictures are here", "❌ one did not work out"]
    captions = {message["caption"] for message in person.seen() if message["photo"]}
    assert captions == {f"\u2068hare {person.id}\u2069", f"\u2068owl {person.id}\u2069"}


def test_many_status_messages_stay_within_telegram_s_limits(own_scene: Scene) -> None:
    people = [own_scene.person() for _ in range(40)]
    for person in people:
        person.say(f"fox {person.id}")
    for person in people:
        person.waits_for_text("On it!")
    own_scene.worker.submit(own_scene.worker.waits_for_request(people[0]))
    own_scene.queue.client.lpop("rq:queue:img_queue", 20)
    for person in people[-20:]:  # the last of them stand twenty places further ahead now
        person.waits_for_edit()
    people[0].waits_for_text("Drawing…")
    outcomes = own_scene.telegram.get("/control/outcomes")
    assert not any("429" in codes for codes in outcomes.values())
    assert own_scene.queue.client.zcard(redis_keys.STATUS_WAITING) == len(people) - 1
