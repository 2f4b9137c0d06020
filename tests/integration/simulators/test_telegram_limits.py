"""Telegram's documented limits, refused in its own words."""

import io
import json
import time
from typing import Any

import httpx
import pytest
from PIL import Image

from .conftest import TOKEN, Telegram, picture

TOO_OLD = "Bad Request: query is too old and response timeout expired or query ID is invalid"


@pytest.fixture(autouse=True)
def _person(telegram: Telegram) -> None:
    telegram.says(7)


def refusal(telegram: Telegram, method: str, files: Any = None, **params: Any) -> str:
    body = telegram.call(method, files, **params)
    assert body.keys() == {"ok", "error_code", "description"}
    assert (body["ok"], body["error_code"]) == (False, 400)
    return str(body["description"])


def buttons(data: str) -> dict[str, Any]:
    return {"inline_keyboard": [[{"text": "x", "callback_data": data}]]}


def test_wrong_token_and_unknown_method(telegram: Telegram) -> None:
    answer = httpx.get(f"{telegram.url}/bot1:WRONG/getMe")
    assert answer.status_code == 401
    assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert telegram.call("noSuchMethod")["error_code"] == 404


@pytest.mark.parametrize("text", ["", "   ", "<b></b>"])
def test_an_empty_text(telegram: Telegram, text: str) -> None:
    assert refusal(telegram, "sendMessage", chat_id=7, text=text, parse_mode="HTML") == (
        "Bad Request: message text is empty"
    )


def test_lengths_count_after_parsing(telegram: Telegram) -> None:
    text = "<b>" + "я" * 4096 + "</b>"
    telegram.ok("sendMessage", chat_id=7, text=text, parse_mode="HTML")
    assert refusal(telegram, "sendMessage", chat_id=7, text=text) == "Bad Request: message is too long"
    caption = "c" * 1025
    assert refusal(telegram, "sendPhoto", {"photo": picture()}, chat_id=7, caption=caption) == (
        "Bad Request: message caption is too long"
    )


def test_callback_data_is_64_bytes(telegram: Telegram) -> None:
    telegram.ok("sendMessage", chat_id=7, text="x", reply_markup=buttons("я" * 32))
    for data in ("я" * 33, ""):
        assert refusal(telegram, "sendMessage", chat_id=7, text="x", reply_markup=buttons(data)) == (
            "Bad Request: BUTTON_DATA_INVALID"
        )


@pytest.mark.parametrize("chat_id", [404, -100])
def test_a_chat_that_never_was(telegram: Telegram, chat_id: int) -> None:
    assert refusal(telegram, "sendMessage", chat_id=chat_id, text="x") == "Bad Request: chat not found"


def test_what_can_not_be_a_photo(telegram: Telegram) -> None:
    def sent(data: bytes) -> str:
        return refusal(telegram, "sendPhoto", {"photo": data}, chat_id=7)

    assert sent(b"") == "Bad Request: file must be non-empty"
    assert sent(b"no picture") == "Bad Request: IMAGE_PROCESS_FAILED"
    assert sent(picture(900, 900)[:-50]) == "Bad Request: IMAGE_PROCESS_FAILED"
    whole = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(whole, "JPEG")
    assert sent(whole.getvalue()[:20_000]) == "Bad Request: IMAGE_PROCESS_FAILED"
    assert sent(picture(9_000, 1_001)) == "Bad Request: PHOTO_INVALID_DIMENSIONS"
    assert sent(picture(210, 10)) == "Bad Request: PHOTO_INVALID_DIMENSIONS"
    size = 10 * 1024 * 1024 + 1
    assert sent(picture() + bytes(size - len(picture()))) == (
        f"Bad Request: file of size {size} bytes is too big for a photo; the maximum size is 10485760 bytes"
    )
    telegram.ok("sendPhoto", {"photo": picture(200, 10)}, chat_id=7)


def test_a_document_may_be_50_mb_and_a_download_20(telegram: Telegram) -> None:
    sent = telegram.ok("sendDocument", {"document": ("a.bin", bytes(20 * 1024 * 1024 + 1))}, chat_id=7)
    assert refusal(telegram, "getFile", file_id=sent["document"]["file_id"]) == "Bad Request: file is too big"
    body = telegram.call("sendDocument", {"document": ("a.bin", bytes(50 * 1024 * 1024 + 1))}, chat_id=7)
    assert (body["error_code"], body["description"]) == (413, "Request Entity Too Large")


def test_files_by_id(telegram: Telegram) -> None:
    sent = telegram.ok("sendDocument", {"document": ("a.png", picture())}, chat_id=7)
    file_id = sent["document"]["file_id"]
    assert telegram.ok("sendDocument", chat_id=7, document=file_id)["document"] == sent["document"]
    assert refusal(telegram, "sendPhoto", chat_id=7, photo=file_id) == (
        "Bad Request: can't use file of type Document as Photo"
    )
    assert refusal(telegram, "sendPhoto", chat_id=7, photo="no-such") == (
        "Bad Request: wrong file identifier/HTTP URL specified"
    )
    path = telegram.ok("getFile", file_id=file_id)["file_path"]
    file_url = f"{telegram.url}/file/bot{TOKEN}/{path}"
    assert httpx.get(file_url).content == picture()
    telegram.simulator.post("/control/settings", file_link_ttl_s=0)
    assert httpx.get(file_url).status_code == 404


def test_albums_are_of_2_to_10(telegram: Telegram) -> None:
    def album(count: int, kind: str = "photo") -> dict[str, Any]:
        media = [{"type": "photo", "media": "attach://a"}] * (count - 1)
        media.append({"type": kind, "media": "attach://a"})
        return telegram.call("sendMediaGroup", {"a": picture()}, chat_id=7, media=json.dumps(media))

    assert album(1)["error_code"] == 400
    assert album(11)["description"] == "Bad Request: too many messages to send as an album"
    assert album(3, "document")["description"] == "Bad Request: document can't be mixed with other media types"
    assert len(album(10)["result"]) == 10


def test_an_edit_must_change_something(telegram: Telegram) -> None:
    sent = telegram.ok("sendMessage", chat_id=7, text="hi", reply_markup=buttons("a"))
    same = {"chat_id": 7, "message_id": sent["message_id"], "text": "hi", "reply_markup": buttons("a")}
    assert refusal(telegram, "editMessageText", **same).startswith("Bad Request: message is not modified: ")
    edited = telegram.ok("editMessageText", **{**same, "reply_markup": None})
    assert "reply_markup" not in edited
    assert edited["edit_date"] >= sent["date"]


def test_what_can_not_be_edited_or_deleted(telegram: Telegram) -> None:
    said = telegram.says(7)
    photo = telegram.ok("sendPhoto", {"photo": picture()}, chat_id=7)["message_id"]
    text = telegram.ok("sendMessage", chat_id=7, text="hi")["message_id"]
    edit = {"chat_id": 7, "text": "new"}
    assert refusal(telegram, "editMessageText", message_id=9_999, **edit) == (
        "Bad Request: message to edit not found"
    )
    assert refusal(telegram, "editMessageText", message_id=said, **edit) == ("Bad Request: message can't be edited")
    assert refusal(telegram, "editMessageText", message_id=photo, **edit) == (
        "Bad Request: there is no text in the message to edit"
    )
    assert refusal(telegram, "editMessageCaption", chat_id=7, message_id=text, caption="c") == (
        "Bad Request: there is no caption in the message to edit"
    )
    telegram.ok("deleteMessage", chat_id=7, message_id=text)
    assert refusal(telegram, "deleteMessage", chat_id=7, message_id=text) == (
        "Bad Request: message to delete not found"
    )
    telegram.simulator.post("/control/settings", edit_age_s=0)
    assert refusal(telegram, "deleteMessage", chat_id=7, message_id=photo) == (
        "Bad Request: message can't be deleted for everyone"
    )


def test_a_callback_is_answered_while_it_is_fresh(telegram: Telegram) -> None:
    sent = telegram.ok("sendMessage", chat_id=7, text="x", reply_markup=buttons("a"))
    press = {"message_id": sent["message_id"], "data": "a"}
    pressed = telegram.simulator.post("/person/7/press", **press)["callback_query_id"]
    long = {"callback_query_id": pressed, "text": "x" * 201}
    assert refusal(telegram, "answerCallbackQuery", **long) == "Bad Request: MESSAGE_TOO_LONG"
    telegram.ok("answerCallbackQuery", callback_query_id=pressed, text="ok", show_alert=True)
    answers = telegram.simulator.get("/person/7/chat")["answers"]
    assert [(answer["text"], answer["show_alert"]) for answer in answers] == [("ok", True)]
    assert refusal(telegram, "answerCallbackQuery", callback_query_id="1") == TOO_OLD
    telegram.simulator.post("/control/settings", callback_ttl_s=0)
    assert refusal(telegram, "answerCallbackQuery", callback_query_id=pressed) == TOO_OLD


def test_a_reply_needs_its_message(telegram: Telegram) -> None:
    said = telegram.says(7, "first")
    reply = {"message_id": said}
    sent = telegram.ok("sendMessage", chat_id=7, text="x", reply_parameters=reply)
    assert sent["reply_to_message"]["text"] == "first"
    gone = {"message_id": 9_999}
    assert refusal(telegram, "sendMessage", chat_id=7, text="x", reply_parameters=gone) == (
        "Bad Request: message to be replied not found"
    )
    telegram.ok("sendMessage", chat_id=7, text="x", reply_parameters=gone | {"allow_sending_without_reply": True})


def test_commands_are_checked_and_kept_by_scope_and_language(telegram: Telegram) -> None:
    wrong = [{"command": "Big-Word", "description": "x"}]
    assert refusal(telegram, "setMyCommands", commands=wrong) == "Bad Request: BOT_COMMAND_INVALID"
    commands = [{"command": "stats", "description": "Figures"}]
    scope = {"type": "chat", "chat_id": 7}
    telegram.ok("setMyCommands", commands=commands, scope=scope)
    assert telegram.ok("getMyCommands", scope=scope) == commands
    assert telegram.ok("getMyCommands") == []


def test_the_documented_rates(telegram: Telegram) -> None:
    settings = telegram.simulator.get("/control/settings")
    assert (settings["chat_per_s"], settings["all_per_s"]) == (1, 30)


def test_a_chat_takes_a_short_burst_of_messages_and_edits_then_waits(telegram: Telegram) -> None:
    telegram.simulator.post("/control/settings", chat_per_s=0.5, chat_burst=2)
    sent = telegram.ok("sendMessage", chat_id=7, text="one")["message_id"]
    telegram.ok("editMessageText", chat_id=7, message_id=sent, text="two")
    refused = telegram.call("editMessageText", chat_id=7, message_id=sent, text="three")
    seconds = refused["parameters"]["retry_after"]
    assert refused["error_code"] == 429
    assert refused["description"] == f"Too Many Requests: retry after {seconds}"
    telegram.says(8)
    telegram.ok("sendMessage", chat_id=8, text="another chat is free")
    telegram.ok("sendChatAction", chat_id=7, action="typing")
    time.sleep(seconds)
    telegram.ok("sendMessage", chat_id=7, text="free again")


def test_all_chats_together_have_a_rate_too(telegram: Telegram) -> None:
    telegram.simulator.post("/control/settings", all_per_s=0.05, all_burst=3)
    for person in range(100, 105):
        telegram.says(person)
    codes = [
        telegram.call("sendMessage", chat_id=person, text="x").get("error_code", 200) for person in range(100, 105)
    ]
    assert codes == [200] * 3 + [429] * 2
    telegram.simulator.post("/control/settings", rate_limits=False)
    telegram.ok("sendMessage", chat_id=104, text="x")


def test_an_album_counts_as_its_pictures(telegram: Telegram) -> None:
    telegram.simulator.post("/control/settings", chat_per_s=0.05, chat_burst=3)
    media = json.dumps([{"type": "photo", "media": "attach://a"}] * 3)
    telegram.ok("sendMediaGroup", {"a": picture()}, chat_id=7, media=media)
    assert telegram.call("sendMessage", chat_id=7, text="x")["error_code"] == 429
