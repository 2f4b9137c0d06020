"""Many status messages alive at once: two instances of the real bot, and a Telegram that enforces its limits."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.operations import Operation
from app.core.queue_names import QUEUE
from tests.bench.processes import cpu_seconds, rss_bytes
from tests.integration.bot.harness import TOKEN, BotProcess, Person
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

INSTANCES: Final = 2
SLOTS: Final = 40
JOBS_PER_SECOND: Final = 2
"""Jobs that leave the queue's head each second, so that every message is out of date all the time."""


@dataclass(frozen=True, slots=True)
class StatusFigures:
    """What was seen; ``refused`` counts the 429s, ``answer_s`` is how long a /help took in the midst of it."""

    alive: int
    sent_in_s: float
    edits_per_s: float
    refused: int
    answer_s: float
    changed_share: float
    cpu_share: float
    rss_mb: float


def measure(people: int, seconds: float) -> StatusFigures:
    """Let so many people wait, and watch their status messages for so long."""
    with _bots(people) as (telegram, queue, bots):
        asking = [Person(telegram, 1000 + number) for number in range(people)]
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda person: person.say(f"fox {person.id}"), asking))
        wait_until(
            lambda: queue.client.zcard(redis_keys.STATUS_WAITING) == people, "all are shown", 120 + people / 10
        )
        sent_in = time.monotonic() - began
        cpu, edits = _cpu(bots), _edits(telegram)
        began = time.monotonic()
        answer = 0.0
        while (passed := time.monotonic() - began) < seconds:
            queue.client.lpop("rq:queue:img_queue", JOBS_PER_SECOND)
            if not answer and passed > seconds / 2:
                answer = _answer(Person(telegram, 7))
            time.sleep(1)
        edits_per_s, cpu_share = (_edits(telegram) - edits) / passed, (_cpu(bots) - cpu) / passed / INSTANCES
        outcomes = telegram.get("/control/outcomes")
        changed = [any(message["edited"] for message in person.seen()) for person in asking]
        return StatusFigures(
            alive=_alive(queue),
            sent_in_s=sent_in,
            edits_per_s=edits_per_s,
            refused=sum(codes.get("429", 0) for codes in outcomes.values()),
            answer_s=answer,
            changed_share=sum(changed) / people,
            cpu_share=cpu_share,
            rss_mb=max(rss_bytes(bot.pid) for bot in bots) / 1e6,
        )


def table(figures: StatusFigures) -> str:
    """Return a Markdown table of one row."""
    rows = {
        "status messages alive": f"{figures.alive}",
        "all sent in, s": f"{figures.sent_in_s:.0f}",
        "edits/s": f"{figures.edits_per_s:.1f}",
        "refused by Telegram (429)": f"{figures.refused}",
        "changed at least once": f"{figures.changed_share:.0%}",
        "a /help meanwhile, s": f"{figures.answer_s:.2f}",
        "CPU of an instance": f"{figures.cpu_share:.0%}",
        "MB": f"{figures.rss_mb:.0f}",
    }
    return "\n".join([f"| {' | '.join(rows)} |", "|" + "---|" * len(rows), f"| {' | '.join(rows.values())} |"])


def as_json(figures: StatusFigures) -> dict[str, float]:
    """Return the figures as ``build/bench/status.json`` holds them."""
    return asdict(figures)


@contextmanager
def _bots(people: int) -> Iterator[tuple[Simulator, RedisServer, list[BotProcess]]]:
    with TemporaryDirectory() as directory, ExitStack() as stack:
        places = {name: Path(directory) / name for name in ("queue", "cache", *map(str, range(1, INSTANCES + 1)))}
        for place in places.values():
            place.mkdir()
        telegram = stack.enter_context(Simulator("telegram", "--token", TOKEN))
        queue, cache = RedisServer(places["queue"]), RedisServer(places["cache"], "cache")
        stack.callback(queue.stop)
        stack.callback(cache.stop)
        key = redis_keys.latency(DEFAULT_ENDPOINTS[Operation.CREATE])
        queue.client.rpush(key, *["24"] * 50)
        # All slots are busy: who finds a free one is told that it is drawn, and no place.
        busy = {f"busy-{number}:1": time.time() + 3600 for number in range(SLOTS)}
        queue.client.zadd(redis_keys.leases(QUEUE), busy)
        bots = []
        for number in range(1, INSTANCES + 1):
            bot = BotProcess(
                places[str(number)],
                bot_name=f"imagebot@{number}",
                telegram_api_url=telegram.url,
                queue_redis_url=queue.address,
                cache_redis_url=cache.address,
                media_url=f"file://{directory}",
                queue_max=str(people + 1),
            )
            stack.callback(bot.kill)
            bots.append(bot)
        wait_until(lambda: all(_is_ready(bot) for bot in bots), "all instances are ready")
        yield telegram, queue, bots


def _is_ready(bot: BotProcess) -> bool:
    return any(text in bot.log() for text in ("receiving updates", "standing by"))


def _alive(queue: RedisServer) -> int:
    return int(queue.client.zcard(redis_keys.STATUS_WAITING))


def _cpu(bots: list[BotProcess]) -> float:
    return sum(cpu_seconds(bot.pid) for bot in bots)


def _edits(telegram: Simulator) -> int:
    return int(telegram.get("/control/counts").get("editMessageText", 0))


def _answer(person: Person) -> float:
    began = time.monotonic()
    person.say("/help")
    wait_until(person.seen, "an answer")
    return time.monotonic() - began
