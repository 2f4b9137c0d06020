"""Pictures that are made to do harm: one kind sentence, in a process that may be killed, while others are served."""

import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from PIL import Image

from app.bot.refusals import RefusedError
from app.bot.requests import sanitiser
from app.bot.requests.sanitised_image import KEPT_SIDE, sanitise
from app.bot.requests.sanitiser import Sanitiser
from tests.hostile import pictures
from tests.integration.bot.conftest import Scene, make_scene
from tests.integration.bot.sender import Sender
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until
from tests.unit.bot.test_sanitised_image import drawn

MENU = "What shall I do with it?"


@pytest.fixture
async def decode() -> AsyncIterator[Sanitiser]:
    made = Sanitiser()
    yield made
    await made.aclose()


async def test_a_picture_comes_out_as_it_does_in_this_process(decode: Sanitiser) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert await decode(drawn(kind)) == sanitise(drawn(kind))


async def test_who_asks_is_told_for_how_long_the_decoder_was_at_work(decode: Sanitiser) -> None:
    told = []

    async def spent(seconds: float) -> None:
        told.append(seconds)

    await decode(drawn(), spent)
    with pytest.raises(RefusedError):
        await decode(b"", spent)
    assert [0 < seconds < sanitiser.SECONDS_MAX for seconds in told] == [True, True]


async def test_a_decoder_that_needs_more_memory_than_allowed_is_refused_and_not_the_bot_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sanitiser, "MEMORY_MAX", 200 * 1024 * 1024)
    decode = Sanitiser()
    with pytest.raises(RefusedError):
        await decode(pictures.large_png("RGB", 7000))
    assert (await decode(drawn())).suffix == "jpg"
    await decode.aclose()


async def test_a_decoder_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitiser, "SECONDS_MAX", 0.0)
    decode, told = Sanitiser(), []

    async def spent(seconds: float) -> None:
        told.append(seconds)

    with pytest.raises(RefusedError) as caught:
        await decode(drawn(), spent)
    assert told == [0.0]
    assert caught.value.key == "photo-too-much"
    await decode.aclose()


# -- the bot itself --------------------------------------------------------------------------------------------------


@dataclass
class Gallery:
    """A bot to which everybody has sent a picture, and what it has said to each."""

    scene: Scene
    senders: dict[str, Sender]


@pytest.fixture(scope="module")
def gallery(
    tmp_path_factory: pytest.TempPathFactory,
    simulator: Simulator,
    queue_server: RedisServer,
    cache_server: RedisServer,
) -> Iterator[Gallery]:
    """Every picture of all, each from a person of its own: the bot has answered all of them."""
    with make_scene(tmp_path_factory.mktemp("gallery"), simulator, queue_server, cache_server) as scene:
        scene.telegram.post("/control/settings", rate_limits=False)
        senders = {name: Sender(scene) for name in pictures.CASES}
        for name, make in pictures.CASES.items():
            senders[name].send(document=make() or b"\0")  # Telegram itself takes no file of nothing
        other = scene.person()
        other.say("/help")
        other.waits_for_text("Words alone")
        for name, sender in senders.items():
            wait_until(sender.person.texts, f"an answer to {name}", 120)
        yield Gallery(scene, senders)


@pytest.mark.parametrize("case", [*pictures.ATTACKS, *pictures.NO_PICTURES])
def test_what_is_no_usable_picture_gets_one_sentence(gallery: Gallery, case: str) -> None:
    [said] = gallery.senders[case].person.texts()
    assert said != MENU
    assert "Something went wrong" not in said


@pytest.mark.parametrize("case", list(pictures.ODD_PICTURES))
def test_an_odd_picture_is_taken_or_refused_with_one_sentence(gallery: Gallery, case: str) -> None:
    [said] = gallery.senders[case].person.texts()
    assert "Something went wrong" not in said


def test_nothing_is_queued_and_what_is_kept_is_a_plain_picture(gallery: Gallery) -> None:
    assert [name for name, sender in gallery.senders.items() if gallery.scene.worker.queued(sender.person)] == []
    kept = [path.read_bytes() for path in (gallery.scene.directory / "inputs").rglob("*") if path.is_file()]
    taken = [name for name, sender in gallery.senders.items() if MENU in sender.person.texts()]
    assert 0 < len(kept) <= len(taken)
    for data in kept:
        assert pictures.PRIVATE not in data
        with Image.open(io.BytesIO(data)) as image:
            assert (image.mode, image.format in {"JPEG", "PNG"}) == ("RGB", True)
            assert max(image.size) <= KEPT_SIDE
            assert not image.getexif()
            assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_the_log_has_no_traceback_and_nothing_of_the_person(gallery: Gallery) -> None:
    log = gallery.scene.bot.log()
    assert "Traceback" not in log
    assert "could not be handled" not in log
    assert pictures.PRIVATE.decode() not in log
