"""People, their private chats with the bot, and everything that was ever said in them."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass
class Person:
    """Somebody with a Telegram account."""

    id: int
    first_name: str
    username: str | None = None
    language_code: str | None = "en"
    blocked: bool = False
    actions: list[JSON] = field(default_factory=list)
    answers: list[JSON] = field(default_factory=list)

    def user_json(self) -> JSON:
        """As a User."""
        user: JSON = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        if self.username:
            user["username"] = self.username
        if self.language_code:
            user["language_code"] = self.language_code
        return user

    def chat_json(self) -> JSON:
        """As the private Chat with the bot."""
        chat: JSON = {"id": self.id, "type": "private", "first_name": self.first_name}
        return chat | ({"username": self.username} if self.username else {})


@dataclass
class Post:
    """A message in its present form, and what it was before."""

    chat_id: int
    from_bot: bool
    body: JSON
    """The Bot API's Message."""
    seq: int = 0
    deleted: bool = False
    sent_at: float = field(default_factory=time.monotonic)
    versions: list[JSON] = field(default_factory=list)
    """Earlier views, oldest first."""
    reply_keyboard: JSON | None = None

    @property
    def id(self) -> int:
        """The message_id."""
        return int(self.body["message_id"])

    def view(self) -> JSON:
        """What the person sees."""
        body = self.body
        photo = body["photo"][-1] if "photo" in body else None
        return {
            "message_id": self.id,
            "from_bot": self.from_bot,
            "date": body["date"],
            "text": body.get("text"),
            "entities": body.get("entities") or body.get("caption_entities") or [],
            "caption": body.get("caption"),
            "photo": photo and photo["file_id"],
            "photo_size": photo and [photo["width"], photo["height"]],
            "document": body.get("document"),
            "buttons": body.get("reply_markup", {}).get("inline_keyboard", []),
            "reply_keyboard": self.reply_keyboard,
            "reply_to": body.get("reply_to_message", {}).get("message_id"),
            "media_group_id": body.get("media_group_id"),
            "deleted": self.deleted,
            "edited": "edit_date" in body,
        }


class Chats:
    """All people and messages. `seq` grows with every change that a person could see."""

    def __init__(self, bot: JSON, first_message_id: int = 1) -> None:
        self.bot = bot
        self.people: dict[int, Person] = {}
        self.next_message_id = first_message_id
        self.seq = 0
        self._posts: dict[int, dict[int, Post]] = {}
        self._changed: dict[int, asyncio.Event] = {}

    def post(self, person: Person, from_bot: bool, content: JSON, reply_to: Post | None = None) -> Post:
        """Add a message to a person's chat."""
        body: JSON = {
            "message_id": self.next_message_id,
            "from": self.bot if from_bot else person.user_json(),
            "chat": person.chat_json(),
            "date": int(time.time()),
        }
        self.next_message_id += 1
        if reply_to is not None:
            replied = dict(reply_to.body)
            replied.pop("reply_to_message", None)
            body["reply_to_message"] = replied
        post = Post(person.id, from_bot, body | content)
        self._posts.setdefault(person.id, {})[post.id] = post
        self.touch(person.id, post)
        return post

    def find(self, chat_id: int, message_id: int) -> Post | None:
        """Find a message that is still there."""
        post = self._posts.get(chat_id, {}).get(message_id)
        return None if post is None or post.deleted else post

    def has_chat(self, chat_id: int) -> bool:
        """Tell whether the person ever wrote to the bot."""
        return chat_id in self._posts

    def edit(self, post: Post, content: JSON, drop: tuple[str, ...]) -> None:
        """Put a new form in place of a message's present one: fields to set, fields to drop."""
        post.versions.append({"seq": post.seq} | post.view())
        kept = {name: value for name, value in post.body.items() if name not in drop}
        post.body = kept | content | {"edit_date": int(time.time())}
        self.touch(post.chat_id, post)

    def delete(self, post: Post) -> None:
        """Take a message away; the transcript keeps it as deleted."""
        post.deleted = True
        self.touch(post.chat_id, post)

    def touch(self, chat_id: int, post: Post | None = None) -> int:
        """Tell those who look at a chat that something changed; give the change's number."""
        self.seq += 1
        if post is not None:
            post.seq = self.seq
        if waiting := self._changed.pop(chat_id, None):
            waiting.set()
        return self.seq

    def changes(self, chat_id: int, after: int) -> list[JSON]:
        """Give the messages that changed after `after`, with their earlier versions."""
        posts = self._posts.get(chat_id, {}).values()
        return [post.view() | {"seq": post.seq, "versions": post.versions} for post in posts if post.seq > after]

    async def wait(self, chat_id: int, seconds: float) -> None:
        """Wait for the next change in a chat, but no longer than `seconds`."""
        event = self._changed.setdefault(chat_id, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return
