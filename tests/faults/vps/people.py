"""People who write to the bot through the simulated Telegram, each in a chat of their own, one wish at a time."""

import asyncio
import base64
import contextlib
import io
import time
from random import Random
from typing import Any, Final

import httpx
from PIL import Image

from tests.bench.measure import arrivals
from tests.faults.vps.plan import Plan
from tests.faults.vps.seen import JSON, Order, Sighting, look

BATCH: Final = 3
"""Prompts in a list."""
KINDS: Final = {"words": 0.8, "photo": 0.14, "batch": 0.06}
"""Shares of what people send."""
PROMPTS_AN_ORDER: Final = 1 + KINDS["batch"] * (BATCH - 1)
SUBJECTS: Final = ("lighthouse", "fox", "harbour", "orchard", "tram", "violin", "glacier", "market")
LIGHTS: Final = ("at dawn", "in the rain", "under snow", "by candlelight", "in fog", "at noon")
LOOK_AGAIN: Final = 20.0
"""Seconds that a look at a chat waits for something new."""


class Crowd:
    """Everybody who writes; ``url`` is the simulated Telegram's, reachable whatever happens to the VPS."""

    def __init__(self, url: str, plan: Plan) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=None))
        self._plan = plan
        self._chance = Random(plan.seed)
        self._first_person = int(time.time()) * 1000  # nobody who has written before
        self._mark = f"{self._first_person:x}"
        self._photo = _photo()
        self._idle: list[int] = []
        self._people = 0
        self._prompts = 0
        self.orders: dict[int, list[Order]] = {}
        self.waiting: set[Order] = set()
        self.answered: dict[Order, float] = {}

    @property
    def prompts(self) -> int:
        """How many have been written."""
        return self._prompts

    async def write(self, began: float) -> None:
        """Write from ``began`` (Unix s) on as the plan says, and watch until everybody has been answered."""
        rate = self._plan.prompts_per_s / PROMPTS_AN_ORDER
        async with asyncio.TaskGroup() as group:
            for at in arrivals(rate, self._plan.seconds, self._plan.seed):
                await asyncio.sleep(max(0.0, began + at - time.time()))
                order = await self._send()
                self.waiting.add(order)
                group.create_task(self._watch(order, began + self._plan.over + self._plan.drain))

    async def seen(self) -> tuple[list[Sighting], list[str], dict[int, list[JSON]]]:
        """Return what came of every prompt, what is left over in the chats, and all messages by person."""
        sightings, strays, messages = [], [], {}
        for person, orders in self.orders.items():
            messages[person] = (await self._chat(person, 0, 0))["messages"]
            found, left = look(orders, messages[person])
            sightings += found
            strays += left
        return sightings, strays, messages

    async def picture(self, person: int, file_id: str) -> bytes:
        """Return the bytes of a picture as the person can download it."""
        return (await self._http.get(f"/person/{person}/file/{file_id}")).raise_for_status().content

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def _send(self) -> Order:
        person = self._idle.pop(0) if self._idle else self._somebody_new()
        kind = self._chance.choices(list(KINDS), list(KINDS.values()))[0]
        prompts = tuple(self._prompt() for _ in range(BATCH if kind == "batch" else 1))
        given: dict[str, Any] = {"language_code": "ru" if person % 2 else "en", "first_name": f"Person {person}"}
        if kind == "photo":
            given |= {"photos": [self._photo], "caption": prompts[0]}
        else:
            given["text"] = prompts[0] if kind == "words" else "\n".join(["/batch", *prompts])
        at = time.time()
        answer = (await self._http.post(f"/person/{person}/send", json=given)).raise_for_status().json()
        order = Order(person, answer["message_ids"][0], prompts, kind, at)
        self.orders.setdefault(person, []).append(order)
        return order

    def _somebody_new(self) -> int:
        self._people += 1
        return self._first_person + self._people

    def _prompt(self) -> str:
        self._prompts += 1
        subject, light = self._chance.choice(SUBJECTS), self._chance.choice(LIGHTS)
        return f"Number {self._prompts} of run {self._mark}: a {subject} {light}"

    async def _watch(self, order: Order, until: float) -> None:
        """Wait for the answers to an order; then the person may write again."""
        seen, messages = 0, dict[int, JSON]()
        while time.time() < until:
            with contextlib.suppress(httpx.TransportError):
                chat = await self._chat(order.person, seen, min(LOOK_AGAIN, max(0.0, until - time.time())))
                seen = chat["seq"]
                messages |= {message["message_id"]: message for message in chat["messages"]}
                found, _ = look(self.orders[order.person], messages.values())
                if all(sighting.answers for sighting in found if sighting.order == order):
                    self.waiting.discard(order)
                    self.answered[order] = time.time()
                    self._idle.append(order.person)
                    return

    async def _chat(self, person: int, after: int, wait: float) -> JSON:
        answer = await self._http.get(f"/person/{person}/chat", params={"after": after, "timeout": wait})
        chat: JSON = answer.raise_for_status().json()
        return chat


def _photo() -> str:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((640, 480)).save(out, "JPEG")
    return base64.b64encode(out.getvalue()).decode()
