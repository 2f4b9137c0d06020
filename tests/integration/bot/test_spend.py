"""Money: the day's limit."""

from app.core.errors import FailureReason
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import Person
from tests.support.waiting import wait_until


def _admin(scene: Scene) -> Person:
    """The one who runs the bot, and has met it: a bot can't write to anybody first."""
    admin = scene.admin()
    admin.say("/start")
    admin.waits_for_text("I turn words into pictures")
    return admin


def test_a_day_s_money_that_is_spent_is_told_to_people_and_once_to_those_who_run_the_bot(own_scene: Scene) -> None:
    own_scene.bot.kill()
    own_scene.bot.start(IMAGEBOT_SPEND_MAX_PER_DAY="0.05")  # one picture costs 0.04
    admin, first, *others = (_admin(own_scene), *(own_scene.person() for _ in range(3)))
    first.say("a fox")
    request_id = own_scene.worker.waits_for_request(first)
    for other in others:
        other.say("a hare")
        other.waits_for_text("Today's limit for everybody is used up. Again in")
    admin.waits_for_text("spending limit is reached")
    assert len(admin.texts()) == 2  # the greeting, and this
    assert [own_scene.worker.queued(other) for other in others] == [[], []]
    own_scene.worker.fail(request_id, FailureReason.POLICY)  # nothing was drawn: the money is there again
    first.waits_for_text("not allowed to draw")
    others[0].say("an owl")
    own_scene.worker.waits_for_request(others[0])


def test_a_person_s_limit_is_told_in_pictures(own_scene: Scene) -> None:
    own_scene.bot.kill()
    own_scene.bot.start(IMAGEBOT_SPEND_MAX_PER_USER_PER_DAY="0.08")  # two pictures
    person = own_scene.person("ru")
    for number in range(2):
        person.say(f"лиса {number}")
        wait_until(lambda: len(own_scene.worker.queued(person)) > number, "it is queued")  # noqa: B023 - at once
    person.say("сова")
    person.waits_for_text("Дневной лимит исчерпан: 2 из 2 картинок. Снова через")
    person.say("/settings")
    person.waits_for_text("Сегодня: 2 из 2 картинок.")
