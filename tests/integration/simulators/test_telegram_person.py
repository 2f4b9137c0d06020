"""People: what they can send, what the bot gets of it, and what they see."""

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.simulators.fal.pictures import bomb

from .conftest import TOKEN, Telegram, picture


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def send(telegram: Telegram, person: int = 7, **what: Any) -> list[int]:
    ids: list[int] = telegram.simulator.post(f"/person/{person}/send", **what)["message_ids"]
    return ids


def messages(telegram: Telegram) -> list[dict[str, Any]]:
    return [update["message"] for update in telegram.updates()]


def download(telegram: Telegram, file_id: str) -> bytes:
    path = telegram.ok("getFile", file_id=file_id)["file_path"]
    return httpx.get(f"{telegram.url}/file/bot{TOKEN}/{path}").raise_for_status().content


def test_a_photo_arrives_as_a_ladder_of_jpegs(telegram: Telegram) -> None:
    send(telegram, photos=[encoded(picture(1600, 800))], caption="a caption")
    (message,) = messages(telegram)
    sizes = message["photo"]
    assert [(size["width"], size["height"]) for size in sizes] == [(90, 45), (320, 160), (800, 400), (1280, 640)]
    for size in sizes:
        data = download(telegram, size["file_id"])
        assert len(data) == size["file_size"]
        with Image.open(io.BytesIO(data)) as image:
            assert (image.format, image.size) == ("JPEG", (size["width"], size["height"]))
    assert message["caption"] == "a caption"


def test_a_photo_is_turned_upright_and_loses_what_it_tells_of_the_person(telegram: Telegram) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: lies on its side
    exif[0x010F] = "maker of the camera"
    out = io.BytesIO()
    Image.new("CMYK", (60, 40)).save(out, "JPEG", exif=exif)
    send(telegram, photos=[encoded(out.getvalue())])
    data = download(telegram, messages(telegram)[0]["photo"][-1]["file_id"])
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.mode, dict(image.getexif())) == ((40, 60), "RGB", {})


def test_a_document_arrives_as_it_is(telegram: Telegram) -> None:
    send(telegram, document={"file_name": "my.png", "mime_type": "image/png", "data": encoded(picture())})
    (message,) = messages(telegram)
    assert message["document"]["file_name"] == "my.png"
    assert message["document"]["mime_type"] == "image/png"
    assert download(telegram, message["document"]["file_id"]) == picture()


def test_an_album_is_messages_with_one_group_even_out_of_order(telegram: Telegram) -> None:
    photos = [encoded(picture(width)) for width in (61, 62, 63)]
    ids = send(telegram, photos=photos, caption="three", order=[2, 0, 1])
    arrived = messages(telegram)
    assert [message["message_id"] for message in arrived] == [ids[2], ids[0], ids[1]]
    assert len({message["media_group_id"] for message in arrived}) == 1
    assert [message.get("caption") for message in arrived] == [None, "three", None]


def test_a_reply_carries_its_message(telegram: Telegram) -> None:
    telegram.says(7)
    sent = telegram.ok("sendPhoto", {"photo": picture()}, chat_id=7)
    send(telegram, text="bluer, please", reply_to=sent["message_id"])
    reply = messages(telegram)[-1]["reply_to_message"]
    assert reply["photo"] == sent["photo"]
    assert reply["from"]["is_bot"]


def test_a_long_text_is_cut_as_clients_do(telegram: Telegram) -> None:
    assert len(send(telegram, text="x" * 10_000)) == 3
    assert [len(message["text"]) for message in messages(telegram)] == [4096, 4096, 1808]


@pytest.mark.parametrize(
    "what",
    [
        {"text": "  "},
        {},
        {"photos": [encoded(b"no picture")]},
        {"photos": ["not base64!"]},
        {"photos": [encoded(picture(2100, 100))]},
        {"photos": [encoded(bomb())]},
        {"photos": [encoded(picture())], "caption": "c" * 1025},
        {"photos": [encoded(picture())] * 11},
        {"text": "x", "reply_to": 9_999},
    ],
)
def test_what_no_client_would_send(telegram: Telegram, what: dict[str, Any]) -> None:
    answer = httpx.post(f"{telegram.url}/person/7/send", json=what)
    assert answer.status_code == 400
    assert telegram.updates() == []


def test_a_button_can_be_pressed_while_it_is_there(telegram: Telegram) -> None:
    telegram.says(7)
    keyboard = {"inline_keyboard": [[{"text": "Again", "callback_data": "again"}]]}
    sent = telegram.ok("sendMessage", chat_id=7, text="x", reply_markup=keyboard)["message_id"]
    press = {"message_id": sent, "data": "again"}
    telegram.simulator.post("/person/7/press", **press)
    telegram.ok("deleteMessage", chat_id=7, message_id=sent)
    assert httpx.post(f"{telegram.url}/person/7/press", json=press).status_code == 400
    telegram.simulator.post("/person/7/press", **press, forged=True)
    fresh, stale = (update["callback_query"] for update in telegram.updates()[1:])
    assert fresh["message"]["text"] == "x"
    assert stale["message"] == {"chat": fresh["message"]["chat"], "message_id": sent, "date": 0}


def test_blocking(telegram: Telegram) -> None:
    telegram.says(7)
    telegram.simulator.post("/person/7/block")
    body = telegram.call("sendMessage", chat_id=7, text="x")
    assert (body["error_code"], body["description"]) == (403, "Forbidden: bot was blocked by the user")
    assert httpx.post(f"{telegram.url}/person/7/send", json={"text": "x"}).status_code == 400
    telegram.simulator.post("/person/7/unblock")
    telegram.ok("sendMessage", chat_id=7, text="x")
    changes = [update["my_chat_member"] for update in telegram.updates()[1:]]
    assert [change["new_chat_member"]["status"] for change in changes] == ["kicked", "member"]


def test_the_chat_keeps_what_was_edited_and_deleted(telegram: Telegram) -> None:
    telegram.says(7)
    sent = telegram.ok("sendMessage", chat_id=7, text="one")["message_id"]
    telegram.ok("editMessageText", chat_id=7, message_id=sent, text="two")
    seq = telegram.simulator.get("/person/7/chat")["seq"]
    telegram.ok("deleteMessage", chat_id=7, message_id=sent)
    (message,) = telegram.chat(7, after=seq)
    assert (message["text"], message["edited"], message["deleted"]) == ("two", True, True)
    assert [version["text"] for version in message["versions"]] == ["one"]


def test_a_person_sees_the_bots_own_bytes_and_nobody_elses_chat(telegram: Telegram) -> None:
    telegram.says(7)
    telegram.ok("sendPhoto", {"photo": picture()}, chat_id=7)
    photo = telegram.chat(7)[-1]["photo"]
    assert httpx.get(f"{telegram.url}/person/7/file/{photo}").content == picture()
    assert telegram.chat(8) == []


def test_looking_waits_for_the_next_change(telegram: Telegram) -> None:
    telegram.says(7)
    seq = telegram.simulator.get("/person/7/chat")["seq"]
    telegram.simulator.post("/control/faults", method="sendMessage", kind="delay", delay_s=0)
    telegram.ok("sendMessage", chat_id=7, text="news")
    assert [message["text"] for message in telegram.chat(7, after=seq, timeout=10)] == ["news"]
