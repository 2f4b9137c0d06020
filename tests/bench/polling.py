"""The polling schedules side by side, for run times as fal's are."""

import itertools
import statistics
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from app.core.polling_config import (
    POLL_INTERVAL_INITIAL,
    POLL_INTERVAL_MAX,
    PollingConfig,
    RunTimes,
    aware_intervals,
    plain_intervals,
)
from app.worker.latency import KEPT
from tests.bench.chart import line_chart
from tests.bench.polling_optimum import LogNormal

DRAWS: Final = 20_000
SEED: Final = 7
ACTIVE: Final = 300
"""Requests in flight for which the polls a second are told."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a schedule costs; ``delay`` in seconds from ready at fal to seen."""

    schedule: str
    polls_per_job: float
    delay_mean_s: float
    delay_p95_s: float
    polls_per_s_at_300: float


def lines(median: float = 24.0, p95: float = 45.0, draws: int = DRAWS) -> list[Line]:
    """Return each schedule's cost over the same draws, and last the least possible cost (computed, not drawn)."""
    shape = LogNormal.from_median(median, p95)
    chance = Random(SEED)
    runs = [chance.lognormvariate(shape.mu, shape.sigma) for _ in range(draws + KEPT)]
    past, runs = runs[:KEPT], runs[KEPT:]
    first = sorted(past)[KEPT // 5]
    schedules: dict[str, Callable[[], Iterator[float]]] = {
        "every 1 s (before)": lambda: itertools.repeat(1.0),
        "2 s doubling to 10 s": lambda: plain_intervals(PollingConfig(factor=2.0, jitter=0), chance),
        "plain: 2 s x1.5 to 10 s, jitter": lambda: plain_intervals(PollingConfig(), chance),
        "first look at the 20 % quantile, then 2 s x1.1": lambda: itertools.chain(
            [first], plain_intervals(PollingConfig(factor=1.1, jitter=0), chance)
        ),
    }
    table = [
        _line(name, shape, [_seen(make(), run) for run in runs]) for name, make in schedules.items()
    ]  # fmt: skip
    table.append(_line("aware (ours, default)", shape, list(_aware(past, runs, chance))))
    best = shape.best_cost(table[-1].polls_per_job, POLL_INTERVAL_INITIAL, POLL_INTERVAL_MAX)
    at_300 = ACTIVE * best.polls / (shape.mean + best.delay)
    return [*table, Line("best possible with as many looks", best.polls, best.delay, float("nan"), at_300)]


def frontier(median: float = 24.0, p95: float = 45.0) -> list[tuple[float, float]]:
    """Return (polls a job, mean delay) of the best schedules for many prices of a look."""
    shape = LogNormal.from_median(median, p95)
    costs = [
        shape.cost(shape.best_looks(price / 10, POLL_INTERVAL_INITIAL, POLL_INTERVAL_MAX)) for price in range(2, 31)
    ]
    return sorted((cost.polls, cost.delay) for cost in costs)


def table(lines: Sequence[Line]) -> str:
    """Return the lines as a Markdown table."""
    rows = [
        f"| {line.schedule} | {line.polls_per_job:.1f} | {line.delay_mean_s:.2f} s | "
        + (f"{line.delay_p95_s:.1f} s" if line.delay_p95_s == line.delay_p95_s else "")
        + f" | {line.polls_per_s_at_300:.0f} |"
        for line in lines
    ]
    head = ["| schedule | polls a job | mean delay | p95 | looks a second, 300 active |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def chart(lines: Sequence[Line]) -> str:
    """Draw delay over looks; looking every second is far off to the right."""
    names = ("every 1 s", "2 s x2", "plain", "20 %, 2 s x1.1", "aware (ours)")
    dots = {name: [(line.polls_per_job, line.delay_mean_s)] for name, line in zip(names, lines, strict=False)}
    del dots[names[0]]
    title = "What looking costs: delay over looks"
    return line_chart(title, "polls a job", "mean delay, s", {"best possible": frontier(), **dots})


def _aware(past: Sequence[float], runs: Sequence[float], chance: Random) -> Iterator[tuple[int, float]]:
    """Each request is scheduled by the ones before it, as in the worker."""
    kept = deque(past, maxlen=KEPT)
    for run in runs:
        clock = [0.0]
        yield _seen(
            aware_intervals(RunTimes.fit(kept), partial(clock.__getitem__, 0), PollingConfig(), chance), run, clock
        )
        kept.append(run)


def _seen(waits: Iterator[float], run: float, clock: list[float] | None = None) -> tuple[int, float]:
    """Return how many polls a request took, and seconds from ready to seen; ``clock`` follows the looks."""
    clock = clock if clock is not None else [0.0]
    for number, wait in enumerate(waits, 1):
        clock[0] += wait
        if clock[0] >= run:
            return number, clock[0] - run
    raise AssertionError("schedules are endless")


def _line(schedule: str, shape: LogNormal, seen: Sequence[tuple[int, float]]) -> Line:
    polls = statistics.fmean(number for number, _ in seen)
    delays = sorted(delay for _, delay in seen)
    mean = statistics.fmean(delays)
    at_300 = ACTIVE * polls / (shape.mean + mean)
    return Line(schedule, polls, mean, delays[int(0.95 * len(delays))], at_300)
