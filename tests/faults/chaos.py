"""The chaos test: a steady load, and everything that can die dies."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, cast
from xmlrpc.client import Fault

from redis.exceptions import RedisError

from app.core import redis_keys
from app.core.errors import FailureReason
from app.worker.concurrent_worker import LEASE
from tests.bench.measure import arrivals
from tests.bench.systems import BenchError, Ours, fal_jobs
from tests.faults.deadly_worker import POINTS
from tests.faults.ledger import Ledger
from tests.stack.stack import ROOT

DRAIN: Final = 240.0
"""Seconds after the last arrival in which every request must have ended."""
POINT_WAIT: Final = 120.0
"""Seconds in which a worker must have died where it was to."""
RQ: Final = str(Path(sys.executable).with_name("rq"))


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens when, in seconds from the first arrival."""

    rate: float = 4.0
    seconds: float = 150.0
    kills_from: float = 10.0
    kills_until: float = 130.0
    kill_every: float = 5.0
    pause_at: float = 35.0
    redis_from: float = 40.0
    redis_every: float = 60.0
    restart_at: float = 95.0
    points: Sequence[str] = field(default_factory=lambda: list(POINTS))
    points_from: float = 12.0
    points_every: float = 10.0
    seed: int = 7


class ChaosTest:
    """One run of a plan against a running system."""

    def __init__(self, ours: Ours, plan: Plan) -> None:
        self._ours = ours
        self._plan = plan
        self._chance = Random(plan.seed)
        self._ledger = Ledger(ours)
        self._restarting = False
        self._spared: set[str] = set()
        self._kills = Counter[str]()
        self._rq_info_runs = 0
        self._over = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Let it pass, wait until every request has ended, and return the counts."""
        plan, self._began = self._plan, time.monotonic()
        times = arrivals(plan.rate, plan.seconds, plan.seed)
        self._ledger.start()
        info = asyncio.create_task(self._rq_info())
        try:
            async with asyncio.TaskGroup() as group:
                for number, at in enumerate(times):
                    group.create_task(self._offer(f"chaos-{number}", at))
                group.create_task(self._kill_workers())
                group.create_task(self._pause_one())
                group.create_task(self._kill_redis())
                group.create_task(self._restart_all())
                points = [group.create_task(self._kill_at(point, at)) for point, at in self._points()]
                await self._until(plan.seconds)
                for number in itertools.count(len(times)):  # the points need jobs to die at
                    if all(point.done() for point in points):
                        break
                    group.create_task(self._offer(f"chaos-{number}", 0))
                    await asyncio.sleep(1 / plan.rate)
            await self._drained()
        finally:
            self._over.set()
            await info
            await asyncio.to_thread(self._ledger.stop)
        return self._counts()

    # -- load ---------------------------------------------------------------------------------------------------

    async def _offer(self, request_id: str, at: float) -> None:
        """Enqueue as the bot does: again, until Redis has taken it."""
        await self._until(at)
        while True:
            try:
                await self._ours.offer(request_id)
                break
            except (RedisError, OSError):
                await asyncio.sleep(0.2)
        self._ledger.accepted[request_id] = time.time()

    async def _rq_info(self) -> None:
        """RQ's own tool cleans registries, beside everything else that does."""
        while not self._over.is_set():
            process = await asyncio.create_subprocess_exec(
                RQ, "info", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, "RQ_REDIS_URL": self._ours.stack.queue_url},
            )  # fmt: skip
            await process.wait()
            self._rq_info_runs += 1
            await asyncio.sleep(1)

    async def _drained(self) -> None:
        for _ in range(int(DRAIN)):
            if len(self._ledger.ended) == len(self._ledger.accepted) and not self._leftovers():
                return
            await asyncio.sleep(1)

    # -- faults -------------------------------------------------------------------------------------------------

    async def _kill_workers(self) -> None:
        plan, at = self._plan, self._plan.kills_from
        while at < plan.kills_until:
            await self._until(at)
            if not self._restarting:
                alive = [name for name in self._ours.stack.worker_names if name not in self._spared]
                self._kill(self._chance.choice(alive))
            at += plan.kill_every

    def _kill(self, name: str) -> None:
        if pid := self._ours.stack.pid(name):
            os.kill(pid, signal.SIGKILL)
            self._ledger.died(name)
            self._kills["worker"] += 1

    async def _pause_one(self) -> None:
        """A worker sleeps through its leases; when it wakes, its jobs are others'."""
        await self._until(self._plan.pause_at)
        stack, name = self._ours.stack, self._ours.stack.worker_names[0]
        self._spared.add(name)
        pid = stack.pid(name)
        os.kill(pid, signal.SIGSTOP)
        self._ledger.paused(name)
        await asyncio.sleep(2 * LEASE)
        self._ledger.woken(name)
        os.kill(pid, signal.SIGCONT)
        self._spared.remove(name)

    async def _kill_redis(self) -> None:
        at = self._plan.redis_from
        while at < self._plan.kills_until:
            await self._until(at)
            self._ours.stack.kill("redis-queue")
            self._kills["redis"] += 1
            at += self._plan.redis_every

    async def _restart_all(self) -> None:
        await self._until(self._plan.restart_at)
        names = [name for name in self._ours.stack.worker_names if name not in self._spared]
        loop, self._restarting = asyncio.get_running_loop(), True
        with ThreadPoolExecutor(len(names)) as threads:
            await asyncio.gather(*(loop.run_in_executor(threads, self._restart, name) for name in names))
        self._restarting = False

    def _restart(self, name: str) -> None:
        try:
            self._ours.stack.stop(name)
        except Fault:
            return  # it has just been killed, and is being restarted anyway
        self._ours.stack.start(name)

    def _points(self) -> list[tuple[str, float]]:
        return [
            (point, self._plan.points_from + number * self._plan.points_every)
            for number, point in enumerate(self._plan.points)
        ]

    async def _kill_at(self, point: str, at: float) -> None:
        """One more worker, on a host that does not come back: it dies when it first gets to the point."""
        await self._until(at)
        name, directory = f"imageworker-dies-{point}", self._ours.stack.directory
        mark = directory / f"{point}.mark"
        environment = {"IMAGEBOT_WORKER_NAME": name, "TEST_KILL_AT": point, "TEST_KILL_MARK": str(mark)}
        with (directory / "logs" / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.deadly_worker", cwd=ROOT, stdout=log, stderr=log,
                env={**os.environ, **self._ours.stack.settings("worker"), **environment},
            )  # fmt: skip
        try:
            status = await asyncio.wait_for(process.wait(), POINT_WAIT)
        except TimeoutError:
            raise BenchError(f"no job got a worker to the point {point!r} in {POINT_WAIT:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
        if status != -signal.SIGKILL:
            raise BenchError(f"the worker that was to die at {point!r} ended with {status}; see its log")
        self._ledger.died(name)
        self._kills[point] += 1

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - time.monotonic()))

    # -- what came of it ----------------------------------------------------------------------------------------

    def _counts(self) -> dict[str, Any]:
        accepted = set(self._ledger.accepted)
        terminal = Counter(ending.request_id for ending in self._ours.endings())
        types = Counter(ending.type for ending in self._ours.endings())
        billed = {request_id: sum(job["billed"] for job in jobs) for request_id, jobs in fal_jobs(self._ours).items()}
        reasons = Counter(self._reason(request_id) for request_id in accepted)
        reasons.pop(None, None)
        return {
            "accepted": len(accepted),
            "finished_once": sum(terminal[request_id] == 1 for request_id in accepted),
            "lost": sum(terminal[request_id] == 0 for request_id in accepted),
            "seen_twice": sum(terminal[request_id] > 1 for request_id in accepted),
            "billed_twice": sum(count > 1 for count in billed.values()),
            "done": types["done"],
            "failed": dict(reasons),
            "outcome_unknown": reasons[FailureReason.OUTCOME_UNKNOWN],
            "kills": self._kills.total(),
            "kills_by": dict(self._kills),
            "resumed": sum(count > 1 for count in self._ledger.executions.values()),
            "longest_gap_s": round(self._ledger.longest_gap, 2),
            "longest_gap_of": self._ledger.longest_gap_of,
            "rq_info_runs": self._rq_info_runs,
            "left_in_redis": self._leftovers(),
            "healed": self._healed(),
        }

    def _reason(self, request_id: str) -> str | None:
        return self._ours.redis.hget(redis_keys.request(request_id), "reason")  # type: ignore[return-value]  # not async

    def _healed(self) -> dict[str, int]:
        """What the sweeper found in nobody's hands: deaths alone leave nothing there."""
        counters = cast(dict[str, str], self._ours.redis.hgetall(redis_keys.COUNTERS))
        return {name: int(count) for name, count in counters.items() if name.startswith("healed")}

    def _leftovers(self) -> dict[str, int]:
        """Jobs that Redis still holds as queued or at work."""
        redis = self._ours.redis
        keys = [str(key) for pattern in ("imagebot:leases:*", "rq:wip:*") for key in redis.keys(pattern)]
        counts = {"queued": self._ours.depth(), **{key: redis.zcard(key) for key in keys}}
        return {name: count for name, count in counts.items() if count}
