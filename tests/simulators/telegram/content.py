"""What a bot puts into messages: texts, captions, keyboards, photos and documents."""

import asyncio
from typing import Any

from .entities import formatted, units
from .errors import bad
from .files import check_document, check_photo
from .params import Params, Upload
from .world import World

JSON = dict[str, Any]
TEXT_MOST = 4096
CAPTION_MOST = 1024
_BUTTONS_MOST = 100
_DATA_MOST = 64  # bytes
_ACTIONS = ("callback_data", "url", "web_app", "login_url", "copy_text", "switch_inline_query", "pay")
_MORE_ACTIONS = ("switch_inline_query_current_chat", "switch_inline_query_chosen_chat", "callback_game")


def text_of(params: Params) -> JSON:
    """Give text and entities of a message."""
    marks = params.parsed("entities")
    text, entities = formatted(params.text("text"), params.text("parse_mode"), marks)
    if not text:
        raise bad("message text is empty")
    if units(text) > TEXT_MOST:
        raise bad("message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def caption_of(caption: str, parse_mode: str, marks: list[JSON] | None) -> JSON:
    """Give caption and entities of a photo or document; nothing if it is empty."""
    text, entities = formatted(caption, parse_mode, marks)
    if units(text) > CAPTION_MOST:
        raise bad("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def caption_in(params: Params) -> JSON:
    """Give caption and entities of a call."""
    return caption_of(params.text("caption"), params.text("parse_mode"), params.parsed("caption_entities"))


def markup_of(params: Params) -> tuple[JSON, JSON | None]:
    """Give the inline keyboard as a field of the message, and a reply keyboard (which is not part of it)."""
    markup = params.parsed("reply_markup")
    if not markup:
        return {}, None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" not in markup:
        return {}, markup
    rows = [row for row in markup["inline_keyboard"] if row]
    if sum(len(row) for row in rows) > _BUTTONS_MOST:
        raise bad("reply markup is too long")
    for button in (button for row in rows for button in row):
        _check_button(button)
    return ({"reply_markup": {"inline_keyboard": rows}} if rows else {}), None


def _check_button(button: JSON) -> None:
    if not button.get("text"):
        raise bad('can\'t parse inline keyboard button: Field "text" must be non-empty')
    actions = [name for name in (*_ACTIONS, *_MORE_ACTIONS) if button.get(name) is not None]
    if not actions:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and not 1 <= len(data.encode()) <= _DATA_MOST:
        raise bad("BUTTON_DATA_INVALID")


async def media_of(world: World, kind: str, upload: Upload | None, reference: str) -> JSON:
    """Give the `photo` or `document` field of a message, from an upload or a file_id."""
    if upload is None:
        if not reference:
            raise bad(f"there is no {kind} in the request")
        stored = world.files.get(reference)
        if stored is None:
            raise bad("wrong file identifier/HTTP URL specified")
        if stored.kind != kind:
            raise bad(f"can't use file of type {stored.kind.title()} as {kind.title()}")
        if kind == "document":
            return {"document": stored.document_json()}
        return {"photo": [stored.size_json()]}
    if kind == "document":
        check_document(upload.data)
        return {"document": world.files.document(upload.data, upload.name, upload.mime)}
    width, height = await asyncio.to_thread(check_photo, upload.data)
    return {"photo": world.files.photo_of_bot(upload.data, width, height)}
