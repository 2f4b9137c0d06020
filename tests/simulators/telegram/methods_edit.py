"""Editing and deleting."""

import time
from typing import Any

from .chats import Post
from .content import caption_in, markup_of, text_of
from .errors import bad
from .methods import method
from .methods_send import input_media
from .params import Params
from .world import World

JSON = dict[str, Any]
_SAME = (
    "message is not modified: specified new message content and reply markup "
    "are exactly the same as a current content and reply markup of the message"
)
_DELETE_MOST = 100


def _editable(world: World, params: Params) -> Post:
    if not params.has("message_id"):
        raise bad("message identifier is not specified")
    person = world.addressee(params)
    post = world.chats.find(person.id, params.integer("message_id"))
    if post is None:
        raise bad("message to edit not found")
    if not post.from_bot:
        raise bad("message can't be edited")
    return post


def _edit(world: World, params: Params, post: Post, content: JSON, replaced: tuple[str, ...]) -> JSON:
    """Replace fields of a message; a keyboard that is not given anew goes away."""
    content |= markup_of(params)[0]
    replaced = (*replaced, "reply_markup")
    if all(_without_ids(post.body.get(name)) == _without_ids(content.get(name)) for name in replaced):
        raise bad(_SAME)
    world.limits.take(post.chat_id)
    world.reachable(world.chats.people[post.chat_id])
    world.chats.edit(post, content, replaced)
    return post.body


def _without_ids(value: Any) -> Any:
    """The same picture uploaded again has other file_ids."""
    if isinstance(value, list):
        return [_without_ids(item) for item in value]
    return {k: v for k, v in value.items() if k != "file_id"} if isinstance(value, dict) else value


@method("editMessageText")
async def edit_message_text(world: World, params: Params) -> JSON:
    """Replace a text."""
    content = text_of(params)
    post = _editable(world, params)
    if "text" not in post.body:
        raise bad("there is no text in the message to edit")
    return _edit(world, params, post, content, ("text", "entities"))


@method("editMessageCaption")
async def edit_message_caption(world: World, params: Params) -> JSON:
    """Replace a caption."""
    content = caption_in(params)
    post = _editable(world, params)
    if "text" in post.body:
        raise bad("there is no caption in the message to edit")
    return _edit(world, params, post, content, ("caption", "caption_entities"))


@method("editMessageReplyMarkup")
async def edit_message_reply_markup(world: World, params: Params) -> JSON:
    """Replace an inline keyboard."""
    return _edit(world, params, _editable(world, params), {}, ())


@method("editMessageMedia")
async def edit_message_media(world: World, params: Params) -> JSON:
    """Replace photo or document and caption."""
    content = await input_media(world, params, params.parsed("media") or {})
    post = _editable(world, params)
    fields = ("text", "entities", "photo", "document", "caption", "caption_entities")
    return _edit(world, params, post, content, fields)


def _delete(world: World, chat_id: int, message_id: int) -> None:
    post = world.chats.find(chat_id, message_id)
    if post is None:
        raise bad("message to delete not found")
    if time.monotonic() - post.sent_at > world.settings.edit_age_s:
        raise bad("message can't be deleted for everyone")
    world.chats.delete(post)


@method("deleteMessage")
async def delete_message(world: World, params: Params) -> bool:
    """Delete a message, the bot's or the person's."""
    _delete(world, world.addressee(params).id, params.integer("message_id"))
    return True


@method("deleteMessages")
async def delete_messages(world: World, params: Params) -> bool:
    """Delete some messages; those that are not there are skipped."""
    person = world.addressee(params)
    ids = params.parsed("message_ids") or []
    if not 1 <= len(ids) <= _DELETE_MOST:
        raise bad("there are no messages to delete" if not ids else "too many messages to delete")
    for message_id in ids:
        if world.chats.find(person.id, int(message_id)):
            _delete(world, person.id, int(message_id))
    return True
