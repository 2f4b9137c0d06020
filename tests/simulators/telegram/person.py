"""A person, driven over HTTP: what they write, press and see."""

import asyncio
import base64
import binascii
import itertools
import time
from typing import Any

from aiohttp import web
from PIL import Image

from .chats import Person
from .content import CAPTION_MOST, TEXT_MOST
from .entities import detect, units
from .errors import PersonError
from .world import Callback, World

JSON = dict[str, Any]
_ALBUM_MOST = 10
_WAIT_MOST_S = 60.0


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise PersonError("photos and documents are base64") from None


def _pieces(text: str) -> list[str]:
    """Cut a long text as Telegram's clients do before sending."""
    text = text.strip()
    if not text:
        raise PersonError("nobody can send an empty message")
    pieces: list[str] = []
    piece: list[str] = []
    size = 0
    for character in text:
        size += units(character)
        if size > TEXT_MOST:
            pieces.append("".join(piece))
            piece, size = [], units(character)
        piece.append(character)
    return [*pieces, "".join(piece)]


def _described(content: JSON) -> JSON:
    for name, key in (("text", "entities"), ("caption", "caption_entities")):
        if found := detect(content.get(name, "")):
            content[key] = found
    return content


class PersonApi:
    """The routes under `/person/<id>/`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._callback_ids = itertools.count(4_300_000_000_000_001)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes."""
        return [
            web.post(r"/person/{id:\d+}/send", self.send),
            web.post(r"/person/{id:\d+}/edit", self.edit),
            web.post(r"/person/{id:\d+}/press", self.press),
            web.post(r"/person/{id:\d+}/block", self.block),
            web.post(r"/person/{id:\d+}/unblock", self.unblock),
            web.get(r"/person/{id:\d+}/chat", self.chat),
            web.get(r"/person/{id:\d+}/file/{file_id}", self.file),
        ]

    def _person(self, request: web.Request) -> Person:
        return self._world.person(int(request.match_info["id"]))

    async def send(self, request: web.Request) -> web.Response:
        """Write to the bot: a text, photos (two or more make an album), or documents."""
        given = await request.json()
        person = self._person(request)
        for name in ("language_code", "first_name", "username"):
            if name in given:
                setattr(person, name, given[name])
        if person.blocked:
            raise PersonError("the bot is blocked: unblock it first")
        contents = await self._contents(given)
        if len(contents) > 1 and "text" not in given:
            group = str(13_000_000_000_000_000 + self._world.chats.next_message_id)
            contents = [content | {"media_group_id": group} for content in contents]
        chats = self._world.chats
        reply_to = chats.find(person.id, given["reply_to"]) if given.get("reply_to") else None
        if given.get("reply_to") and reply_to is None:
            raise PersonError("there is no such message to reply to")
        posts = [chats.post(person, False, _described(content), reply_to) for content in contents]
        order = given.get("order") or range(len(posts))
        for number, index in enumerate(order):
            if number and given.get("gap_s"):
                await asyncio.sleep(given["gap_s"])
            self._world.updates.add("message", posts[index].body)
        return web.json_response({"message_ids": [post.id for post in posts]})

    async def _contents(self, given: JSON) -> list[JSON]:
        files = self._world.files
        if "text" in given:
            return [{"text": piece} for piece in _pieces(given["text"])]
        contents: list[JSON] = []
        for encoded in given.get("photos", []):
            try:
                sizes = await files.photo_of_person(_bytes(encoded))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise PersonError(f"that can't be sent as a photo: {error}") from None
            contents.append({"photo": sizes})
        documents = given.get("documents") or ([given["document"]] if given.get("document") else [])
        for document in documents:
            name, mime = document.get("file_name", "file.bin"), document.get("mime_type", "")
            contents.append({"document": files.document(_bytes(document["data"]), name, mime)})
        if not contents:
            raise PersonError("nothing to send: give text, photos, document or documents")
        if len(contents) > _ALBUM_MOST:
            raise PersonError("an album holds 10 at most; clients send the others as another album")
        caption = (given.get("caption") or "").strip()
        if units(caption) > CAPTION_MOST:
            raise PersonError("a caption is 1024 characters at most")
        if caption:
            contents[given.get("caption_on", 0)]["caption"] = caption
        return contents

    async def edit(self, request: web.Request) -> web.Response:
        """Change one's own text or caption."""
        given = await request.json()
        person = self._person(request)
        post = self._world.chats.find(person.id, given["message_id"])
        if post is None or post.from_bot:
            raise PersonError("there is no such message of yours")
        name = "text" if "text" in post.body else "caption"
        self._world.chats.edit(post, _described({name: given["text"]}), ("entities", "caption_entities"))
        self._world.updates.add("edited_message", post.body)
        return web.json_response({"message_id": post.id})

    async def press(self, request: web.Request) -> web.Response:
        """Press a button; `"forged": true` sends data that no button has, for a message that may be gone."""
        given = await request.json()
        person = self._person(request)
        post = self._world.chats.find(person.id, given["message_id"])
        rows = post.body.get("reply_markup", {}).get("inline_keyboard", []) if post else []
        shown = any(button.get("callback_data") == given["data"] for row in rows for button in row)
        if not shown and not given.get("forged"):
            raise PersonError("there is no such button")
        callback = Callback(str(next(self._callback_ids)), person)
        self._world.callbacks[callback.id] = callback
        query: JSON = {"id": callback.id, "from": person.user_json(), "data": given["data"]}
        query["chat_instance"] = str(7_000_000_000 + person.id)
        gone = {"chat": person.chat_json(), "message_id": given["message_id"], "date": 0}
        query["message"] = post.body if post else gone
        self._world.updates.add("callback_query", query)
        return web.json_response({"callback_query_id": callback.id})

    async def block(self, request: web.Request) -> web.Response:
        """Block the bot."""
        return self._membership(self._person(request), blocked=True)

    async def unblock(self, request: web.Request) -> web.Response:
        """Unblock it."""
        return self._membership(self._person(request), blocked=False)

    def _membership(self, person: Person, blocked: bool) -> web.Response:
        if person.blocked != blocked:
            person.blocked = blocked
            bot = {"user": self._world.bot}
            member, kicked = bot | {"status": "member"}, bot | {"status": "kicked", "until_date": 0}
            change: JSON = {"chat": person.chat_json(), "from": person.user_json(), "date": int(time.time())}
            change["old_chat_member"], change["new_chat_member"] = (member, kicked) if blocked else (kicked, member)
            self._world.updates.add("my_chat_member", change)
        return web.json_response({"blocked": person.blocked})

    async def chat(self, request: web.Request) -> web.Response:
        """Look at the chat: what changed after `after`, waiting up to `timeout` seconds for it."""
        person = self._person(request)
        after = int(request.query.get("after", 0))
        until = time.monotonic() + min(float(request.query.get("timeout", 0)), _WAIT_MOST_S)
        chats = self._world.chats
        while True:
            messages = chats.changes(person.id, after)
            answers = [answer for answer in person.answers if answer["seq"] > after]
            left = until - time.monotonic()
            if messages or answers or left <= 0:
                break
            await chats.wait(person.id, left)
        actions = [action for action in person.actions if action["seq"] > after]
        seen = {"messages": messages, "answers": answers, "actions": actions, "blocked": person.blocked}
        return web.json_response({"seq": chats.seq} | seen)

    async def file(self, request: web.Request) -> web.Response:
        """Download what one sees, without the bot's limits."""
        stored = self._world.files.get(request.match_info["file_id"])
        if stored is None:
            raise PersonError("there is no such file")
        return web.Response(body=stored.data, content_type=stored.mime)
