"""The bot dies while people send pictures."""

from concurrent.futures import ThreadPoolExecutor

from app.core import redis_keys
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import picture
from tests.integration.bot.sender import COLOURS, Sender, colours
from tests.support.waiting import wait_until


def test_an_album_is_whole_though_the_bot_dies_while_it_comes(own_scene: Scene) -> None:
    sender = Sender(own_scene)
    own_scene.bot.until_logged("receiving updates")
    photos = [picture(colour=colour) for colour in COLOURS]
    with ThreadPoolExecutor() as pool:
        sent = pool.submit(sender.send, *photos, caption="together", gap_s=0.7)
        wait_until(lambda: own_scene.queue.client.zcard(redis_keys.ALBUMS), "the first part is put aside")
        own_scene.bot.kill()
        own_scene.bot.start()
        sent.result()
    assert colours(sender.inputs()) == list(COLOURS)


def test_a_dialogue_goes_on_after_the_bot_has_died(own_scene: Scene) -> None:
    sender = Sender(own_scene)
    sender.person.say("/edit")
    sender.person.waits_for_text("Send me the picture")
    sender.send(picture(colour="red"))
    sender.person.waits_for_text("What should I change?")
    own_scene.bot.kill()
    own_scene.bot.start()
    sender.person.say("make it winter")
    assert sender.request()["prompt"] == "make it winter"
    assert colours(sender.inputs()) == ["red"]
