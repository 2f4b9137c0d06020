"""Everything the simulator knows, in one place that all methods get."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

from .chats import Chats, Person, Post
from .errors import ApiError, bad
from .faults import Faults
from .files import FileStore
from .journal import Journal
from .limits import RateLimits
from .params import Params
from .settings import Settings
from .updates import Updates
from .webhook import Delivery

JSON = dict[str, Any]


@dataclass
class Callback:
    """A pressed button."""

    id: str
    person: Person
    pressed_at: float = field(default_factory=time.monotonic)
    answer: JSON | None = None


class World:
    """The bot's account and all around it."""

    def __init__(self, at_start: Settings) -> None:
        self._at_start = at_start
        bot_id = int(at_start.token.partition(":")[0])
        self.bot: JSON = {"id": bot_id, "is_bot": True, "first_name": "Imagebot", "username": "image_test_bot"}
        self.journal = Journal()
        self.updates = Updates(self.journal)
        self.delivery = Delivery(self.updates, self.journal)
        self.chats = Chats(self.bot)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the webhook; numbers go on, so that a bot that is running stays in step."""
        self.settings = replace(self._at_start)
        self.faults = Faults()
        self.files = FileStore()
        self.limits = RateLimits(self.settings)
        self.callbacks: dict[str, Callback] = {}
        self.texts: dict[tuple[str, str], Any] = {}
        """What setMyCommands and its like keep, by kind and scope or language."""
        self.outcomes: dict[str, Counter[str]] = defaultdict(Counter)
        self.updates.clear()
        self.journal.clear()
        self.chats = Chats(self.bot, self.chats.next_message_id)
        if self.delivery.webhook is None:
            self.updates.allowed = None
        else:
            self.delivery.start(self.delivery.webhook, self.settings)

    def person(self, person_id: int) -> Person:
        """Find a person, or let one come into the world."""
        people = self.chats.people
        if person_id not in people:
            people[person_id] = Person(person_id, f"Person {person_id}")
        return people[person_id]

    def addressee(self, params: Params) -> Person:
        """Find whom a call is meant for; Telegram's words if there is no such chat."""
        if not params.has("chat_id"):
            raise bad("chat_id is empty")
        chat_id = params.integer("chat_id")
        person = self.chats.people.get(chat_id)
        if person is None or not self.chats.has_chat(chat_id):
            raise bad("chat not found")
        return person

    def reachable(self, person: Person) -> None:
        """Raise the 403 if the person blocked the bot."""
        if person.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")

    def reply_target(self, params: Params, chat_id: int) -> Post | None:
        """Find the message that a call replies to."""
        given = params.parsed("reply_parameters") or {}
        message_id = given.get("message_id") or params.integer("reply_to_message_id")
        if not message_id:
            return None
        post = self.chats.find(chat_id, int(message_id))
        alone = given.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply")
        if post is None and not alone:
            raise bad("message to be replied not found")
        return post
