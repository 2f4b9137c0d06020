"""People's settings and lists, and those who run the bot: the real process."""

import base64
import json
from typing import Any, cast

from app.core import redis_keys
from app.core.queues import QUEUE_HIGH, QUEUE_LOW
from tests.integration.bot.conftest import ADMIN, Scene
from tests.integration.bot.harness import TOKEN, Person, picture
from tests.support.waiting import wait_until


def _request(scene: Scene, request_id: str) -> dict[str, Any]:
    record = scene.queue.client.hget(redis_keys.request(request_id), "request")
    return cast(dict[str, Any], json.loads(record or "{}"))


def _waiting(scene: Scene, queue: str, person: Person) -> list[str]:
    """The ids of a person's requests in a queue, those first that will be served first."""
    jobs = map(str, scene.queue.client.lrange(f"rq:queue:{queue}", 0, -1))
    return [job for job in jobs if _request(scene, job)["user_id"] == person.id]


def _send_file(scene: Scene, person: Person, data: bytes, caption: str) -> None:
    document = {"file_name": "list.txt", "mime_type": "text/plain", "data": base64.b64encode(data).decode()}
    scene.telegram.post(f"/person/{person.id}/send", document=document, caption=caption)


def test_what_is_chosen_in_settings_goes_with_every_prompt(scene: Scene) -> None:
    anna = scene.person()
    anna.say("/settings")
    shown = anna.waits_for_message_with("Your settings")
    anna.press(shown, "Portrait 3:4")
    anna.waits_for_answer("Saved")
    anna.press(shown, "2")
    wait_until(lambda: any("✓ 2" in str(message["buttons"]) for message in anna.seen()), "both choices have a mark")
    anna.say("a fox of her own size")
    request_id = scene.worker.waits_for_request(anna)
    assert _request(scene, request_id)["parameters"] == {
        "aspect_ratio": "3:4",
        "num_images": 2,
    }


def test_a_language_is_spoken_from_the_press_on(scene: Scene) -> None:
    boris = scene.person("en")
    boris.say("/settings")
    boris.press(boris.waits_for_message_with("Your settings"), "Русский")
    boris.waits_for_text("Ваши настройки")
    boris.say("/start")
    boris.waits_for_text("Я превращаю слова в картинки")
    scope = {"type": "chat", "chat_id": boris.id}
    menu = scene.telegram.post(f"/bot{TOKEN}/getMyCommands", scope=scope)["result"]
    assert menu[0]["description"] == "Как это работает"


def test_a_list_is_drawn_at_low_priority_and_summed_up(scene: Scene) -> None:
    vera = scene.person()
    _send_file(scene, vera, "рыжая лиса\r\nзаяц\r\n\r\nсова".encode("utf-16"), "/batch")
    vera.waits_for_text("3 pictures are on my list")
    jobs = _waiting(scene, QUEUE_LOW, vera)
    assert [_request(scene, job)["prompt"] for job in jobs] == ["рыжая лиса", "заяц", "сова"]
    vera.say("/batch a fox")
    vera.waits_for_text("Your last batch is still being drawn")
    for number, job in enumerate(jobs, 1):
        scene.worker.draw(job, picture(64 + number))
        vera.waits_for_pictures(number)
    vera.waits_for_text("That was the whole batch")
    vera.say("/batch a fox")
    vera.waits_for_text("One picture is on my list")


def test_a_vip_goes_first(scene: Scene) -> None:
    admin, vip = scene.admin(), scene.person()
    admin.say(f"/vip {vip.id}")
    admin.waits_for_text("is served first")
    vip.say("a fox in a hurry")
    wait_until(lambda: _waiting(scene, QUEUE_HIGH, vip), "the request is in the first queue")
    admin.say(f"/vip {vip.id} off")
    admin.waits_for_text("waits like everybody")


def test_a_ban_ends_everything_until_it_is_lifted(scene: Scene) -> None:
    admin, troll = scene.admin(), scene.person()
    troll.say("a fox under a bridge")
    scene.worker.waits_for_request(troll)
    admin.say(f"/ban {troll.id}")
    admin.waits_for_text("not served any more")
    wait_until(lambda: not scene.worker.queued(troll), "what was open is cancelled")
    troll.say("a hare under a bridge")
    troll.waits_for_text("can't work for you any more")
    assert scene.worker.queued(troll) == []
    admin.say(f"/unban {troll.id}")
    admin.waits_for_text("is served again")
    troll.say("an owl under a bridge")
    scene.worker.waits_for_request(troll)


def test_stats_are_for_those_who_run_the_bot(scene: Scene) -> None:
    admin, other = scene.admin(), scene.person()
    for each in (admin, other):
        each.say("/stats")
    other.waits_for_text("don't know this command")
    assert "Cache hits" in admin.waits_for_text("Waiting:")
    scope = {"type": "chat", "chat_id": ADMIN}
    menu = scene.telegram.post(f"/bot{TOKEN}/getMyCommands", scope=scope)["result"]
    assert "broadcast" in [command["command"] for command in menu]
    everybody = scene.telegram.post(f"/bot{TOKEN}/getMyCommands")["result"]
    assert "broadcast" not in [command["command"] for command in everybody]
