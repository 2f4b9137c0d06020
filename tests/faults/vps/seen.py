"""What people saw: from the transcript of a chat to a verdict on each prompt. Pure: no clock, no network."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from fluent.syntax import FluentParser
from fluent.syntax.ast import Message, Pattern, SelectExpression, TextElement

from app.bot.texts import LOCALES_DIRECTORY

JSON = dict[str, Any]

_ANSWERS: Final = re.compile(
    r"failed-.*|refused-.*|rate-limited|trouble|cancelled|batch-open|batch-unavailable|photo-unavailable|records-lost.*"
)
"""Messages that answer a prompt in place of its picture."""
_BESIDE: Final = re.compile(r"batch-taken|batch-summary")
"""Messages that may stand beside answers for good."""
SHOWN: Final = 150
"""Characters of a prompt by which the answer to one of a batch is known."""


@dataclass(frozen=True, slots=True)
class Order:
    """One message that asks for a picture, or (``/batch``) for several."""

    person: int
    message_id: int
    prompts: tuple[str, ...]
    kind: str
    at: float


@dataclass(slots=True)
class Sighting:
    """What came of one prompt: ids of messages that ever showed a picture for it, and sentences in its place."""

    order: Order
    prompt: str
    pictures: list[int] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """How often it was answered."""
        return len(self.pictures) + len(self.sentences)


@cache
def _sentences(kinds: re.Pattern[str], directory: Path = LOCALES_DIRECTORY) -> re.Pattern[str]:
    """Return what matches the texts of these messages in any language, whatever their variables hold."""
    found = []
    for file in sorted(directory.glob("*/*.ftl")):
        for entry in FluentParser().parse(file.read_text(encoding="utf-8")).body:
            if isinstance(entry, Message) and entry.value and kinds.fullmatch(entry.id.name):
                found.append(_expression(entry.value))
    return re.compile("|".join(found), re.DOTALL)


def _expression(pattern: Pattern) -> str:
    parts = []
    for element in pattern.elements:
        if isinstance(element, TextElement):
            parts.append(re.escape(element.value))
        elif isinstance(element.expression, SelectExpression):
            variants = (_expression(variant.value) for variant in element.expression.variants)
            parts.append(f"(?:{'|'.join(variants)})")
        else:
            parts.append(".+?")
    return "".join(parts)


def is_answer(text: str) -> bool:
    """Tell whether a text of the bot's stands in place of a picture (in a batch the prompt stands before it)."""
    pattern = _sentences(_ANSWERS)
    return bool(pattern.fullmatch(text) or pattern.fullmatch(text.partition("\n")[2] or " "))


def look(orders: Sequence[Order], messages: Iterable[JSON]) -> tuple[list[Sighting], list[str]]:
    """Return what came of each prompt of one person's ``orders``, and the texts in the chat that belong nowhere."""
    sightings = {(order.message_id, prompt): Sighting(order, prompt) for order in orders for prompt in order.prompts}
    to_all: dict[int, list[str]] = {order.message_id: [] for order in orders}
    strays, beside = [], set[tuple[int, str]]()
    for message in sorted(messages, key=lambda message: int(message["message_id"])):
        if not message["from_bot"]:
            continue
        forms = [*message["versions"], message]
        order = _answered(orders, message)
        pictured = next((form for form in forms if form["photo"] or form["document"]), None)
        answer = next((form["text"] for form in forms if form["text"] and is_answer(form["text"])), None)
        if order and (pictured or answer):
            words = str((pictured["caption"] if pictured else answer) or "")
            prompt = order.prompts[0] if len(order.prompts) == 1 else _meant(order.prompts, words)
            if prompt and pictured:
                sightings[order.message_id, prompt].pictures.append(message["message_id"])
                continue
            if prompt and answer:
                sightings[order.message_id, prompt].sentences.append(answer)
                continue
            if answer:
                to_all[order.message_id].append(answer)
                continue
        text = str(message["text"] or message["caption"] or "a picture of nobody's")
        known = (order.message_id if order else 0, text)
        if not message["deleted"] and (not _sentences(_BESIDE).fullmatch(text.partition("\n")[0]) or known in beside):
            strays.append(text)
        beside.add(known)
    for sighting in sightings.values():
        if not sighting.answers:
            sighting.sentences += to_all[sighting.order.message_id]
    return list(sightings.values()), strays


def _answered(orders: Sequence[Order], message: JSON) -> Order | None:
    """Return the order that a message replies to, or else the last one before it."""
    for order in orders:
        if order.message_id == message["reply_to"]:
            return order
    before = [order for order in orders if order.message_id < message["message_id"]]
    return max(before, key=lambda order: order.message_id, default=None)


def _meant(prompts: Sequence[str], words: str) -> str | None:
    """Return the prompt that stands at the beginning of ``words``, isolated from their direction or not."""
    return next((prompt for prompt in prompts if words.lstrip("\u2068").startswith(prompt[:SHOWN])), None)
