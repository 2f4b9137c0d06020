"""Sending."""

from typing import Any

from .content import caption_in, caption_of, markup_of, media_of, text_of
from .errors import bad
from .methods import method
from .params import Params
from .world import World

JSON = dict[str, Any]
_ALBUM_MOST = 10


def _send(world: World, params: Params, content: JSON) -> JSON:
    person = world.addressee(params)
    markup, keyboard = markup_of(params)
    reply_to = world.reply_target(params, person.id)
    world.limits.take(person.id)
    world.reachable(person)
    if params.flag("protect_content"):
        content["has_protected_content"] = True
    post = world.chats.post(person, True, content | markup, reply_to)
    post.reply_keyboard = keyboard
    return post.body


@method("sendMessage")
async def send_message(world: World, params: Params) -> JSON:
    """Send a text."""
    return _send(world, params, text_of(params))


@method("sendPhoto")
async def send_photo(world: World, params: Params) -> JSON:
    """Send a photo."""
    caption = caption_in(params)
    media = await media_of(world, "photo", params.upload("photo"), params.text("photo"))
    return _send(world, params, media | caption)


@method("sendDocument")
async def send_document(world: World, params: Params) -> JSON:
    """Send a file."""
    caption = caption_in(params)
    media = await media_of(world, "document", params.upload("document"), params.text("document"))
    return _send(world, params, media | caption)


async def input_media(world: World, params: Params, item: JSON) -> JSON:
    """Give the fields of a message that an InputMediaPhoto or InputMediaDocument describes."""
    kind = item.get("type")
    if kind not in ("photo", "document"):
        raise bad(f'can\'t parse InputMedia: type "{kind}" is unsupported')
    reference = str(item.get("media") or "")
    media = await media_of(world, kind, params.attached(reference), reference)
    marks = item.get("caption_entities")
    return media | caption_of(item.get("caption") or "", item.get("parse_mode") or "", marks)


@method("sendMediaGroup")
async def send_media_group(world: World, params: Params) -> list[JSON]:
    """Send an album."""
    items = params.parsed("media") or []
    if len(items) < 2:
        raise bad("there are no messages to send" if not items else "MEDIA_GROUP_INVALID")
    if len(items) > _ALBUM_MOST:
        raise bad("too many messages to send as an album")
    if len({item.get("type") for item in items}) > 1:
        raise bad("document can't be mixed with other media types")
    contents = [await input_media(world, params, item) for item in items]
    person = world.addressee(params)
    reply_to = world.reply_target(params, person.id)
    world.limits.take(person.id, len(items))
    world.reachable(person)
    group = {"media_group_id": str(13_000_000_000_000_000 + world.chats.next_message_id)}
    return [world.chats.post(person, True, content | group, reply_to).body for content in contents]


@method("copyMessage")
async def copy_message(world: World, params: Params) -> JSON:
    """Send the content of another message."""
    source = world.chats.find(params.integer("from_chat_id"), params.integer("message_id"))
    if source is None:
        raise bad("message to copy not found")
    copied = ("text", "entities", "photo", "document", "caption", "caption_entities")
    content = {name: value for name, value in source.body.items() if name in copied}
    if params.has("caption"):
        content |= caption_in(params)
    return {"message_id": _send(world, params, content)["message_id"]}


@method("sendChatAction")
async def send_chat_action(world: World, params: Params) -> bool:
    """Show `typing` or `upload_photo` for a while."""
    person = world.addressee(params)
    known = ("typing", "upload_photo", "upload_document", "choose_sticker", "record_video", "upload_video")
    if params.text("action") not in known:
        raise bad("wrong parameter action in request")
    world.reachable(person)
    person.actions.append({"action": params.text("action"), "seq": world.chats.touch(person.id)})
    return True
