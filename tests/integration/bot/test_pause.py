"""The drawing service takes nothing for a while: people see why they wait, admins hear of it once and of its end."""

import asyncio

from redis.asyncio import Redis as AsyncRedis

from app.core import redis_keys
from app.core.pause import PauseKind, Pauses
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import picture
from tests.support.waiting import wait_until

REASON = "User is locked. Reason: Exhausted balance."


def pause(scene: Scene, kind: PauseKind = PauseKind.ACCOUNT, reason: str = REASON) -> None:
    """Do what a worker does whose submit was refused."""

    async def begin() -> None:
        async with AsyncRedis.from_url(scene.queue.url, decode_responses=True) as redis:
            await Pauses(redis).begin(kind, reason)

    asyncio.run(begin())


def resume(scene: Scene) -> None:
    scene.queue.client.delete(redis_keys.PAUSED)


def test_people_see_why_they_wait_and_that_it_goes_on(own_scene: Scene) -> None:
    before, after = own_scene.person(), own_scene.person("ru")
    before.say("a fox")
    request_id = own_scene.worker.waits_for_request(before)
    before.waits_for_text("On it!")
    pause(own_scene)
    before.waits_for_text("The drawing service is paused for now. Your place is kept")
    after.say("заяц")  # is taken all the same
    own_scene.worker.waits_for_request(after)
    after.waits_for_text("Рисование пока приостановлено.")
    resume(own_scene)
    before.waits_for_text("You are #1 in the queue")
    own_scene.worker.draw(request_id, picture())
    before.waits_for_pictures(1)


def test_admins_hear_the_reason_once_and_the_end_once_from_whichever_instance(own_scene: Scene) -> None:
    admin = own_scene.admin()
    admin.say("/start")
    admin.waits_for_text("I turn words into pictures")
    other = own_scene.another_bot(2)
    other.until_logged("I am @")
    pause(own_scene)
    assert "Exhausted balance" in admin.waits_for_text("fal.ai takes no requests")
    own_scene.bot.kill()
    own_scene.bot.start()
    pause(own_scene)  # a probe was refused, too
    resume(own_scene)
    admin.waits_for_text("The pause is over")
    pause(own_scene)
    wait_until(lambda: sum("takes no requests" in text for text in admin.texts()) == 2, "the next one is told of")
    assert sum("The pause is over" in text for text in admin.texts()) == 1


def test_an_outage_of_a_moment_alarms_no_admin(own_scene: Scene) -> None:
    admin, person = own_scene.admin(), own_scene.person()
    admin.say("/start")
    admin.waits_for_text("I turn words into pictures")
    person.say("a fox")
    own_scene.worker.waits_for_request(person)
    pause(own_scene, PauseKind.PROVIDER_DOWN, "Bad gateway")
    person.waits_for_text("does not answer just now")
    resume(own_scene)
    person.waits_for_text("You are #1 in the queue")
    assert len(admin.texts()) == 1
