"""Offer jobs to systems side by side, at one rate, and measure what becomes of them."""

import asyncio
import contextlib
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from tests.bench.processes import cpu_seconds, rss_bytes
from tests.bench.systems import WORKERS, Ours, Provider, Stock, System, fal_counts, fal_jobs

Row = dict[str, float]
"""One line of the report."""

STOCK_RATES_MOST: Final = 1.2
"""Jobs a second beyond which stock RQ is not tried: it drowns earlier."""
WARM_UP: Final = 40
"""Jobs before the first row: the polling schedule needs a past."""
DRAIN: Final = 150.0
"""Seconds after the last arrival until a row ends at the latest."""
WATCH: Final = 0.5
"""Seconds between two looks at queues and memory."""
API_CALLS: Final = ("submits", "status_polls", "results")
"""What counts as a request to fal; files come from its content network."""


class Watch(threading.Thread):
    """Follows one system's queue depth, memory and CPU time for the length of a ``with`` block."""

    def __init__(self, system: System) -> None:
        super().__init__(daemon=True)
        self._system = system
        self._began = time.monotonic()
        self._stop_asked = threading.Event()
        self._pids = system.worker_pids()
        self._cpu_before = self._cpu_now()
        self.cpu = 0.0
        self.depths: list[tuple[float, int]] = []
        self.rss_max = 0
        self.rss_total = 0

    def run(self) -> None:
        """Look, and look again."""
        while not self._stop_asked.wait(WATCH):
            self.depths.append((round(time.monotonic() - self._began, 1), self._system.depth()))
            sizes = [rss_bytes(pid) for pid in self._pids]
            self.rss_max = max(self.rss_max, *sizes)
            self.rss_total = max(self.rss_total, sum(sizes))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the watch before the block ends."""
        if not self._stop_asked.is_set():
            self._stop_asked.set()
            self.join()
            self.cpu = self._cpu_now() - self._cpu_before

    def _cpu_now(self) -> float:
        return sum(cpu_seconds(pid) for pid in self._pids)


@dataclass(frozen=True, slots=True)
class Result:
    """A row for each system (by name), and queue depths as (seconds, jobs)."""

    rows: dict[str, Row]
    depths: dict[str, list[tuple[float, int]]]


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return Poisson arrivals, in seconds from the beginning."""
    chance, at, times = Random(seed), 0.0, list[float]()
    while (at := at + chance.expovariate(rate)) < seconds:
        times.append(at)
    return times


async def compare(
    directory: Path,
    rates: Sequence[float],
    seconds: float,
    provider: Provider,
    *,
    workers: int = WORKERS,
    warm: int = WARM_UP,
    seed: int = 7,
) -> list[Result]:
    """Measure both systems at each rate, stock RQ up to ``STOCK_RATES_MOST``; they live under ``directory``."""
    stock_rates = [rate for rate in rates if rate <= STOCK_RATES_MOST]
    ours = Ours(directory / "ours", provider, max(rates), workers=workers)
    stock = Stock(directory / "stock", provider, workers=workers)
    results = []
    with contextlib.ExitStack() as stack:
        everybody: list[System] = [ours, stock] if stock_rates else [ours]
        for system in everybody:
            stack.callback(system.stop)
            system.start()
        print(f"... warming up; {ours.concurrency} jobs at once in each of our workers", flush=True)
        await _warm_up(ours, warm)
        for rate in rates:
            systems: list[System] = [stock, ours] if rate in stock_rates else [ours]
            names = " and ".join(system.name for system in systems)
            print(f"... {rate:g} jobs/s for {seconds:g} s: {names}", flush=True)
            results.append(await measure(systems, rate, seconds, seed))
            for system in systems:
                system.forget()
    return results


async def measure(systems: Sequence[System], rate: float, seconds: float, seed: int) -> Result:
    """Offer the same jobs to all systems for ``seconds``; wait until they are done, ``DRAIN`` s at most."""
    times = arrivals(rate, seconds, seed)
    ids = [f"bench-{rate * 1000:.0f}-{number}" for number in range(len(times))]
    offered = {system.name: dict[str, float]() for system in systems}
    began = time.monotonic()

    async def offer(system: System, request_id: str) -> None:
        offered[system.name][request_id] = time.time()
        await system.offer(request_id)

    with contextlib.ExitStack() as stack:
        watches = {system.name: stack.enter_context(Watch(system)) for system in systems}
        async with asyncio.TaskGroup() as group:
            at_middle = group.create_task(_counts_at(systems, began + seconds / 2))
            at_end = group.create_task(_counts_at(systems, began + seconds))
            for request_id, at in zip(ids, times, strict=True):
                await asyncio.sleep(max(0.0, began + at - time.monotonic()))
                for system in systems:
                    group.create_task(offer(system, request_id))
        async with asyncio.TaskGroup() as group:
            for system in systems:
                group.create_task(_follow(system, watches[system.name], set(ids), began + seconds + DRAIN))
    rows = {}
    for system in systems:
        mine = {"arrivals_per_s": rate, **_requests(at_middle.result()[system.name], at_end.result()[system.name])}
        rows[system.name] = mine | _row(system, offered[system.name], watches[system.name])
    return Result(rows, {name: watch.depths for name, watch in watches.items()})


async def _warm_up(system: System, jobs: int) -> None:
    """Let a system see run times, and load what it loads at first use."""
    ids = {f"warm-{number}" for number in range(jobs)}
    for request_id in ids:
        await system.offer(request_id)
    await _drained(system, ids, time.monotonic() + DRAIN)


async def _counts_at(systems: Sequence[System], when: float) -> dict[str, dict[str, Any]]:
    await asyncio.sleep(max(0.0, when - time.monotonic()))
    return {
        system.name: {"at": time.monotonic(), **await asyncio.to_thread(fal_counts, system)} for system in systems
    }


async def _follow(system: System, watch: Watch, ids: set[str], until: float) -> None:
    await _drained(system, ids, until)
    await asyncio.to_thread(watch.stop)


async def _drained(system: System, ids: set[str], until: float) -> None:
    while time.monotonic() < until:
        endings = await asyncio.to_thread(system.endings)
        if ids <= {ending.request_id for ending in endings}:
            return
        await asyncio.sleep(1)


def _requests(middle: Mapping[str, Any], end: Mapping[str, Any]) -> Row:
    """Requests a second to fal while jobs keep coming in: the second half of the arrivals."""
    span = end["at"] - middle["at"]
    return {
        "requests_per_s": sum(end[call] - middle[call] for call in API_CALLS) / span,
        "polls_per_s": (end["status_polls"] - middle["status_polls"]) / span,
        "in_flight_at_fal": (end["in_progress"] + middle["in_progress"]) / 2,
    }


def _row(system: System, offered: Mapping[str, float], watch: Watch) -> Row:
    jobs = {request_id: jobs for request_id, jobs in fal_jobs(system).items() if request_id in offered}
    endings = [ending for ending in system.endings() if ending.request_id in offered]
    done = {ending.request_id: ending.at for ending in endings if ending.type == "done"}
    now = time.time()
    # What no worker has taken has waited until now, at the least: a lower bound that keeps the quantiles honest.
    waits = [jobs[id_][0]["submitted_at"] - at if id_ in jobs else now - at for id_, at in offered.items()]
    delays = [at - jobs[request_id][-1]["completed_at"] for request_id, at in done.items()]
    return {
        "jobs_offered": len(offered),
        "jobs_done": len(done),
        "jobs_billed": sum(job["billed"] for mine in jobs.values() for job in mine),
        "jobs_ended_twice": len(endings) - len({ending.request_id for ending in endings}),
        "queue_max": max((depth for _, depth in watch.depths), default=0),
        "wait_p50_s": quantile(waits, 0.50),
        "wait_p95_s": quantile(waits, 0.95),
        "added_delay_mean_s": statistics.fmean(delays) if delays else 0.0,
        "added_delay_p50_s": quantile(delays, 0.50),
        "added_delay_p95_s": quantile(delays, 0.95),
        "polls_per_job": statistics.fmean([jobs[id_][0]["polls"] for id_ in done]) if done else 0.0,
        "cpu_ms_per_job": 1000 * watch.cpu / max(1, len(done)),
        "rss_max_mb": watch.rss_max / 1e6,
        "rss_total_mb": watch.rss_total / 1e6,
    }


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values does not exceed (0 for none)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
