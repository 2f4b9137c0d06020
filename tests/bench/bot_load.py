"""How fast the bot answers: one instance on one core, and people who write to it as they like (Poisson)."""

import asyncio
import json
import math
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import aiohttp
import httpx
from redis import Redis

from app.bot.result_cache import RESULT_TTL, Result, cache_key
from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.operations import Operation
from tests.bench.processes import cpu_seconds, rss_bytes
from tests.integration.bot.harness import picture
from tests.stack.stack import TELEGRAM_TOKEN, Stack
from tests.support.waiting import wait_until

Journal = dict[str, list[dict[str, Any]]]

MIX: Final[Mapping[str, float]] = {
    "/help": 0.2,
    "/status": 0.2,
    "new prompt": 0.2,
    "cached prompt": 0.2,
    "/settings": 0.1,
    "button": 0.1,
}
"""What people send, and how often; a button is one of /settings."""

ANSWERS: Final = frozenset({"sendMessage", "sendPhoto", "answerCallbackQuery"})
"""The calls that answer; edits and deletions come on top."""

PEOPLE_PER_RATE: Final = 20
"""Everybody else writes before somebody writes again: each writes every so many seconds."""
KNOWN_PROMPTS: Final = 50
SETTLE: Final = 30.0
"""Seconds that the last answers may take."""
_PLENTY: Final = "1000000"
_SETTINGS: Final = {
    "IMAGEBOT_TELEGRAM_MESSAGES_PER_SECOND": "1000",
    "IMAGEBOT_RATE_LIMIT_MAX_REQUESTS": _PLENTY,
    "IMAGEBOT_OPEN_REQUESTS_MAX": _PLENTY,
    "IMAGEBOT_QUEUE_MAX": _PLENTY,
}


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles, in milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Times":
        """Return the percentiles of what took so many seconds; zeros if nothing did."""
        ordered = sorted(seconds) or [0.0]
        return cls(*(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.95, 0.99)))


@dataclass(frozen=True, slots=True)
class BotFigures:
    """What was seen. ``answer`` is from an update's arrival at Telegram to the bot's first call that answers it.

    ``cached`` is that of prompts whose result is known, from when the bot has the update to its sendPhoto.
    """

    updates: int
    updates_per_s: float
    answered: int
    answered_twice: int
    answer: Times
    by_kind: dict[str, Times]
    cached: Times
    cpu_ms: float
    """CPU of the bot for an update."""
    cpu_share: float
    """Of its core."""
    taken_share: float
    """Of the time: the bot could have run, but others had its core. Near 0, or the times tell of the machine."""
    rss_mb: float
    pinned: bool


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one person did: for a button, ``message_id`` is the message below which it is."""

    user_id: int
    kind: str
    text: str
    message_id: int = 0


def measure(rate: float, seconds: float, seed: int = 7) -> BotFigures:
    """Send so many updates a second for so long."""
    chance = random.Random(seed)
    with _cores() as core, _bot() as stack:
        pid = stack.pid("imagebot")
        if core is not None:
            _pin(pid, core)
        shares = round(PEOPLE_PER_RATE * rate)
        pressing = asyncio.run(_know_the_settings(stack, [10**6 + number for number in range(max(3, shares // 10))]))
        others = [2 * 10**6 + number for number in range(shares)]
        _know_results(stack, next(iter(pressing)))
        before = len(_journal(stack)["updates"])
        plan = _plan(chance, rate, seconds, others, pressing)
        began, cpu, taken = time.monotonic(), cpu_seconds(pid), _taken_seconds(pid)
        asyncio.run(_send_all(stack.telegram_url, plan))
        passed = time.monotonic() - began
        used, taken, memory = cpu_seconds(pid) - cpu, _taken_seconds(pid) - taken, rss_bytes(pid)
        figures = _wait_for_answers(stack, [sent for _, sent in plan], before)
        memory = max(memory, rss_bytes(pid))
        return replace(
            figures,
            updates_per_s=len(plan) / passed,
            cpu_ms=used / len(plan) * 1000,
            cpu_share=used / passed,
            taken_share=taken / passed,
            rss_mb=memory / 1e6,
            pinned=core is not None,
        )


def table(figures: BotFigures) -> str:
    """Return the Markdown tables: times, and what they cost."""
    rows = {"all updates": figures.answer, **figures.by_kind, "cached prompt, inside the bot": figures.cached}
    times = "\n".join(f"| {name} | {row.p50:.0f} | {row.p95:.0f} | {row.p99:.0f} |" for name, row in rows.items())
    costs = {
        "updates": f"{figures.updates}",
        "updates/s": f"{figures.updates_per_s:.0f}",
        "answered": f"{figures.answered}",
        "answered twice": f"{figures.answered_twice}",
        "CPU an update, ms": f"{figures.cpu_ms:.1f}",
        "of its core": f"{figures.cpu_share:.0%}",
        "its core taken by others": f"{figures.taken_share:.0%}",
        "MB": f"{figures.rss_mb:.0f}",
    }
    return "\n".join(
        [
            f"| {' | '.join(costs)} |",
            "|" + "---|" * len(costs),
            f"| {' | '.join(costs.values())} |",
            "",
            "| answer to | p50, ms | p95, ms | p99, ms |",
            "|---|---|---|---|",
            times,
        ]
    )


def as_json(figures: BotFigures) -> dict[str, Any]:
    """Return the figures as ``build/bench/bot.json`` holds them."""
    return asdict(figures)


def judge(journal: Journal, sent: list[_Sent], before: int) -> BotFigures:
    """Find the answers to what was sent in the simulator's journal; the first ``before`` updates do not count.

    Nobody writes again before they have been answered, so a call answers the chat's last update before it.
    """
    updates = journal["updates"][before:]
    calls: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for call in journal["calls"]:
        if call["method"] in ANSWERS and call["status"] == 200:
            calls[call["callback_query_id"] or call["chat_id"]].append(call)
    kinds: dict[int, list[str]] = defaultdict(list)
    for each in sent:
        kinds[each.user_id].append(each.kind)
    answers: dict[str, list[float]] = defaultdict(list)
    inside: list[float] = []
    twice = 0
    ends: dict[int, float] = {}  # when a person wrote again
    for update in reversed(updates):
        user = update["user_id"]
        kind = kinds[user].pop()
        end = ends.get(user, math.inf)
        ends[user] = update["made"]
        if update["callback_query_id"]:
            found = calls[update["callback_query_id"]]
        else:
            found = [call for call in calls[user] if update["made"] <= call["at"] < end]
        if not found:
            continue
        first = found[0]
        twice += len(found) > 1
        answers[kind].append(first["at"] - update["made"])
        if kind == "cached prompt" and first["method"] == "sendPhoto":
            inside.append(first["at"] - update["handed"])
    every = [seconds for those in answers.values() for seconds in those]
    return BotFigures(
        updates=len(updates),
        updates_per_s=0.0,
        answered=len(every),
        answered_twice=twice,
        answer=Times.of(every),
        by_kind={kind: Times.of(answers[kind]) for kind in MIX},
        cached=Times.of(inside),
        cpu_ms=0.0,
        cpu_share=0.0,
        taken_share=0.0,
        rss_mb=0.0,
        pinned=False,
    )


# -- the bot, alone on its core -----------------------------------------------------------------------------------


@contextmanager
def _cores() -> Iterator[int | None]:
    """Leave one core to the bot: all that is started from here stays off it. None if there is only one."""
    whole = os.sched_getaffinity(0)
    if len(whole) < 2:
        yield None
        return
    core = max(whole)
    os.sched_setaffinity(0, whole - {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, whole)


def _pin(pid: int, core: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


def _taken_seconds(pid: int) -> float:
    """Return how long the main thread has stood in line for its core."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


@contextmanager
def _bot() -> Iterator[Stack]:
    with TemporaryDirectory() as directory:
        stack = Stack(Path(directory), workers=0, environment=_SETTINGS, telegram_arguments=("--no-rate-limits",))
        with stack.running():
            updates = f"{stack.telegram_url}/control/updates"
            wait_until(lambda: httpx.get(updates).json()["polling"], "the bot receives updates")
            yield stack


# -- what is known beforehand -------------------------------------------------------------------------------------


async def _know_the_settings(stack: Stack, people: list[int]) -> dict[int, int]:
    """Let people ask for /settings; return the messages with the buttons."""
    asked = [(number * 0.01, _Sent(person, "/settings", "/settings")) for number, person in enumerate(people)]
    await _send_all(stack.telegram_url, asked)
    end = time.monotonic() + SETTLE
    while True:
        calls = _journal(stack)["calls"]
        buttons = {call["chat_id"]: call["message_id"] for call in calls if call["method"] == "sendMessage"}
        if len(buttons) == len(people) or time.monotonic() > end:
            return buttons
        await asyncio.sleep(0.5)


def _know_results(stack: Stack, person: int) -> None:
    """Put results into the cache whose picture is kept, and Telegram knows, since this person was sent it."""
    drawn = picture(1024, 1024)
    (stack.directory / "media" / "known.jpg").write_bytes(drawn)
    answer = httpx.post(
        f"{stack.telegram_url}/bot{TELEGRAM_TOKEN}/sendPhoto",
        data={"chat_id": str(person)},
        files={"photo": ("fox.jpg", drawn, "image/jpeg")},
    ).raise_for_status()
    result = Result(("known.jpg",), (answer.json()["result"]["photo"][-1]["file_id"],))
    with Redis.from_url(stack.cache_url) as cache:
        for number in range(KNOWN_PROMPTS):
            key = cache_key(Operation.CREATE, DEFAULT_ENDPOINTS[Operation.CREATE], _known(number), (), {})
            cache.set(redis_keys.result(key), json.dumps(asdict(result)), ex=RESULT_TTL)


def _known(number: int) -> str:
    return f"a fox that everybody has asked for, number {number}"


# -- the load -----------------------------------------------------------------------------------------------------


def _plan(
    chance: random.Random, rate: float, seconds: float, others: list[int], pressing: dict[int, int]
) -> list[tuple[float, _Sent]]:
    """Say who does what when; people take turns."""
    plan: list[tuple[float, _Sent]] = []
    at = chance.expovariate(rate)
    turns, presses = 0, list(pressing.items())
    while at < seconds:
        kind = chance.choices(list(MIX), list(MIX.values()))[0]
        if kind == "button":
            person, message = presses[(len(plan) - turns) % len(presses)]
            option = 1 + (len(plan) - turns) // len(presses) % 4
            plan.append((at, _Sent(person, kind, f"settings:pictures:{option}", message)))
        else:
            person = others[turns % len(others)]
            texts = {"new prompt": f"a fox, {turns}", "cached prompt": _known(turns % KNOWN_PROMPTS)}
            plan.append((at, _Sent(person, kind, texts.get(kind, kind))))
            turns += 1
        at += chance.expovariate(rate)
    return plan


async def _send_all(url: str, plan: list[tuple[float, _Sent]]) -> None:
    """Do everything at its time, whether or not what was before is done."""
    began = time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector) as session, asyncio.TaskGroup() as group:
        for at, sent in plan:
            await asyncio.sleep(began + at - time.monotonic())
            group.create_task(_send(session, sent))


async def _send(session: aiohttp.ClientSession, sent: _Sent) -> None:
    if sent.kind == "button":
        what, body = "press", {"message_id": sent.message_id, "data": sent.text}
    else:
        what, body = "send", {"text": sent.text}
    async with session.post(f"/person/{sent.user_id}/{what}", json=body, raise_for_status=True) as answer:
        await answer.read()


def _wait_for_answers(stack: Stack, sent: list[_Sent], before: int) -> BotFigures:
    """Wait until all is answered, then until nothing more comes."""
    end = time.monotonic() + SETTLE
    while True:
        figures = judge(_journal(stack), sent, before)
        if figures.answered == figures.updates or time.monotonic() > end:
            break
        time.sleep(1)
    time.sleep(1)
    return judge(_journal(stack), sent, before)


def _journal(stack: Stack) -> Journal:
    answer: Journal = httpx.get(f"{stack.telegram_url}/control/journal", timeout=60).json()
    return answer
