"""People send pictures to the real bot."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import ExifTags, Image

from app.core.media_retention import NEEDED
from tests.integration.bot.conftest import Scene
from tests.integration.bot.harness import picture
from tests.integration.bot.sender import COLOURS, Sender, colours
from tests.support.waiting import wait_until


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be so large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_a_photo_with_a_caption_becomes_an_edited_picture(scene: Scene) -> None:
    anna = Sender(scene, "ru")
    [sent] = anna.send(picture(), caption="пусть будет зима")
    request = anna.request()
    assert (request["operation"], request["prompt"], len(request["inputs"])) == ("edit", "пусть будет зима", 1)
    scene.worker.draw(request["id"], picture())
    anna.person.waits_for_pictures(1)
    [answer] = [message for message in anna.person.seen() if message["photo"]]
    assert answer["reply_to"] == sent


def test_what_requests_need_is_named_among_the_pictures(scene: Scene) -> None:
    wait_until(lambda: (scene.directory / NEEDED).exists(), "the list of needed pictures")


def test_a_document_is_kept_upright_and_without_a_word_about_the_person(scene: Scene) -> None:
    boris = Sender(scene)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SecretCamera"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (55.0, 45.0, 7.0)}
    boris.send(document=encoded(Image.new("RGB", (80, 60), "red"), "JPEG", exif=exif), caption="make it blue")
    [kept] = boris.inputs()
    assert kept.size == (60, 80)
    assert not kept.getexif()
    files = [file for file in scene.directory.rglob("*") if file.is_file()]
    assert not [file for file in files if b"SecretCamera" in file.read_bytes()]


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("CMYK", (64, 48), (0, 255, 255, 0)), "JPEG"),
        encoded(Image.new("I;16", (64, 48), 0x8000), "PNG"),
        encoded(Image.new("RGBA", (64, 48), (0, 0, 0, 0)), "PNG"),
        encoded(Image.new("RGB", (64, 48)), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48), "red")]),
    ],
    ids=["CMYK", "16 bit", "transparent", "animated"],
)
def test_unusual_pictures_are_worked_with(scene: Scene, data: bytes) -> None:
    sender = Sender(scene)
    sender.send(document=data, caption="make it winter")
    [kept] = sender.inputs()
    assert (kept.mode, kept.size) == ("RGB", (64, 48))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"not an image", "can't open this as a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "can't open this as a picture"),
        (encoded(Image.new("P", (64, 48)), "GIF"), "can't open this as a picture"),
        (picture(640, 480)[:-900], "seems to be damaged"),
        (png_of(40_000, 100), "40,000 by 100 pixels"),
        (png_of(19_999, 19_999), "megapixels is my limit"),
        (b"\xff" * (20 * 1024 * 1024 + 1), "too heavy"),
    ],
    ids=["text", "SVG", "GIF", "truncated", "wide", "bomb", "20 MB"],
)
def test_what_can_t_work_gets_a_kind_sentence_and_is_not_queued(scene: Scene, data: bytes, sentence: str) -> None:
    sender = Sender(scene)
    sender.send(document=data, caption="make it winter")
    sender.person.waits_for_text(sentence)
    assert scene.worker.queued(sender.person) == []
    assert "Traceback" not in scene.bot.log()


def test_a_photo_without_a_word_gets_a_menu_that_works(scene: Scene) -> None:
    vera = Sender(scene)
    vera.send(picture())
    vera.person.waits_for_text("What shall I do with it?")
    [menu] = vera.person.seen()
    vera.press(menu["message_id"], "p:upscale")
    assert vera.request()["operation"] == "upscale"


@pytest.mark.parametrize(("language", "button"), [("en", "Draw something new"), ("ru", "Нарисовать другое")])
def test_words_after_a_photo_are_about_it_unless_something_new_is_wanted(
    scene: Scene, language: str, button: str
) -> None:
    one, other = Sender(scene, language), Sender(scene, language)
    for each in (one, other):
        each.send(picture())
        each.person.waits_for_message("text")
    other.person.press(other.person.waits_for_message("text"), button)
    wait_until(lambda: other.person.texts() == [], "the menu is gone")
    for each in (one, other):
        each.person.say(f"a winter for {each.person.id}")
    assert [each.request()["operation"] for each in (one, other)] == ["edit", "create"]


def test_a_forged_or_forgotten_button_is_answered_politely(scene: Scene) -> None:
    sender = Sender(scene)
    sender.person.say("/start")
    sender.press(987_654, "p:retouch", forged=True)
    sender.person.waits_for_text("can't see that picture any more")
    assert scene.worker.queued(sender.person) == []


def test_words_in_reply_to_a_result_edit_it_in_full_quality(scene: Scene) -> None:
    sender = Sender(scene)
    sender.person.say("a fox")
    first = sender.request()["id"]
    scene.worker.draw(first, picture())
    sender.person.waits_for_pictures(1)
    scene.queue.client.lrem("rq:queue:img_queue", 0, first)
    [result] = [message for message in sender.person.seen() if message["photo"]]
    sender.send(text="make it winter", reply_to=result["message_id"])
    request = wait_until(lambda: sender.scene.worker.queued(sender.person) and sender.request(), "the edit is queued")
    assert (request["operation"], request["inputs"]) == ("edit", [f"{first}-0.jpg"])


def test_an_album_out_of_order_is_one_merge_in_order(scene: Scene) -> None:
    sender = Sender(scene)
    photos = [picture(colour=colour) for colour in COLOURS]
    sender.send(*photos, caption="together", caption_on=2, order=[3, 1, 0, 2], gap_s=0.1)
    request = sender.request()
    assert (request["operation"], request["prompt"]) == ("merge", "together")
    assert colours(sender.inputs()) == list(COLOURS)


def test_a_merge_of_an_album_and_single_photos_ends_with_words(scene: Scene) -> None:
    sender = Sender(scene, "ru")
    sender.person.say("/merge")
    sender.person.waits_for_text("от 2 до 10 фотографий")
    sender.send(*(picture(colour=colour) for colour in COLOURS[:2]))
    sender.person.waits_for_text("Фотографий у меня — 2 из 10")
    sender.send(picture(colour=COLOURS[2]))
    sender.person.waits_for_text("Фотографий у меня — 3 из 10")
    sender.person.say("собери их вместе")
    assert sender.request()["prompt"] == "собери их вместе"
    assert colours(sender.inputs()) == list(COLOURS[:3])


def test_a_download_that_breaks_is_begun_again(scene: Scene) -> None:
    sender = Sender(scene)
    scene.telegram.post("/control/faults", method="getFile", status=502)
    sender.send(picture(), caption="make it winter")
    assert sender.request()["operation"] == "edit"


def test_what_one_person_sends_is_not_taken_for_another_s(scene: Scene) -> None:
    one, other = Sender(scene), Sender(scene)
    one.person.say("/edit")
    one.person.waits_for_text("Send me the picture")
    other.send(picture())
    other.person.waits_for_text("What shall I do with it?")
    assert len(one.person.texts()) == 1
