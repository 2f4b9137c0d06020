"""The two systems that are compared, each with its own Redis and its own simulated fal."""

import asyncio
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import httpx
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq import Queue
from rq.job import Job

from app.bot.requests.admission import Admission
from app.core import queues, redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.operations import Operation
from app.core.requests import ImageRequest
from tests.bench import processes
from tests.stack.stack import FAL_KEY, ROOT, Stack
from tests.support.waiting import wait_until

WORKERS: Final = 10
"""Worker processes of each system."""
POLLS: Final = 5
"""Looks at a job that the request cap allows for."""


class BenchError(Exception):
    """The measurement could not be made; the message tells why."""


@dataclass(frozen=True, slots=True)
class Provider:
    """How the simulated fal behaves: run times and deadlines in seconds, log-normal."""

    median: float = 24.0
    p95: float = 45.0
    picture_bytes: int = 1_000_000
    seed: int = 7

    @property
    def arguments(self) -> tuple[str, ...]:
        """The simulator's command line; its account has room for every job."""
        return (
            "--median", str(self.median), "--p95", str(self.p95), "--seed", str(self.seed),
            "--picture-bytes", str(self.picture_bytes), "--concurrency", "5000",
        )  # fmt: skip

    def in_flight(self, rate: float) -> int:
        """Return how many jobs at once a rate needs: Little's law and four standard deviations."""
        sigma = math.log(self.p95 / self.median) / 1.645
        mean = rate * (self.median * math.exp(sigma**2 / 2) + 3)
        return math.ceil(mean + 4 * math.sqrt(mean))


@dataclass(frozen=True, slots=True)
class Ending:
    """How a request ended (``done``, ``failed``, ``cancelled``), and when (Unix s)."""

    request_id: str
    type: str
    at: float


class System(Protocol):
    """Something that makes pictures of requests."""

    name: str
    stack: Stack

    def start(self) -> None:
        """Run everything, until the workers are registered."""

    def stop(self) -> None:
        """End everything."""

    async def offer(self, request_id: str) -> None:
        """Enqueue a request."""

    def depth(self) -> int:
        """Return how many jobs wait in the queues."""

    def worker_pids(self) -> list[int]:
        """Return the workers' processes (the parents only)."""

    def endings(self) -> list[Ending]:
        """Return every ending of a request so far, in order."""

    def forget(self) -> None:
        """Remove what a row of the measurement left behind."""


def fresh(directory: Path) -> Path:
    """Return a directory without a past."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


class Ours:
    """imageworkers, with as much concurrency as the highest rate asks for."""

    def __init__(self, directory: Path, provider: Provider, top_rate: float, *, workers: int = WORKERS) -> None:
        self.name = "ours"
        in_flight = provider.in_flight(top_rate)
        self.concurrency = math.ceil(in_flight / workers)
        self.stack = Stack(
            fresh(directory),
            workers=workers,
            bot=False,
            environment={
                "IMAGEBOT_WORKER_CONCURRENCY": str(self.concurrency),
                "IMAGEBOT_FAL_CONCURRENCY": str(in_flight),
                "IMAGEBOT_FAL_REQUESTS_PER_SECOND": str(max(50, math.ceil(top_rate * (POLLS + 2) * 1.5))),
                "IMAGEBOT_LOG_LEVEL": "WARNING",
            },
            fal_arguments=provider.arguments,
        )

    def start(self) -> None:
        self.stack.up()
        self.redis = Redis.from_url(self.stack.queue_url, decode_responses=True)
        self._rq = Redis.from_url(self.stack.queue_url)
        self._admission = Admission(AsyncRedis.from_url(self.stack.queue_url, decode_responses=True))
        self._read_to, self._endings = "-", list[Ending]()
        wait_until(lambda: self.redis.scard("rq:workers") == self.stack.workers, "the imageworkers are registered")

    def stop(self) -> None:
        """End everything.

        Raises:
            BenchError: Redis has refused something to the workers.
        """
        denied = self.stack.denials() if self.stack.is_up() else []
        self.stack.down()
        if denied:
            raise BenchError(f"Redis has refused: {'; '.join(denied)}")

    async def offer(self, request_id: str) -> None:
        request = ImageRequest(request_id, 7, 7, "en", Operation.CREATE, prompt=request_id)
        await self._admission.admit(request)
        await asyncio.to_thread(queues.enqueue, self._rq, request_id)

    def depth(self) -> int:
        return _depth(self.redis, queues.QUEUES)

    def worker_pids(self) -> list[int]:
        return [self.stack.pid(name) for name in self.stack.worker_names]

    def endings(self) -> list[Ending]:
        entries = cast(list[Any], self.redis.xrange(redis_keys.EVENTS, min=self._read_to))
        for entry_id, fields in entries:
            self._read_to = f"({entry_id}"
            if fields["type"] != "started":
                self._endings.append(Ending(fields["request_id"], fields["type"], int(entry_id.split("-")[0]) / 1000))
        return self._endings

    def forget(self) -> None:
        shutil.rmtree(self.stack.directory / "media" / "results", ignore_errors=True)


class Stock:
    """``rq worker`` processes as they come, one job each (``stock_job.py``), from several queues."""

    def __init__(self, directory: Path, provider: Provider, *, workers: int = WORKERS) -> None:
        self.name = "stock"
        self._count = workers
        self._workers: list[subprocess.Popen[bytes]] = []
        self.stack = Stack(fresh(directory), workers=0, bot=False, fal_arguments=provider.arguments)
        (directory / "pictures").mkdir()

    def start(self) -> None:
        self.stack.up()
        self.redis = Redis.from_url(self.stack.queue_url)
        self._offered: list[str] = []
        command = [str(Path(sys.executable).with_name("rq")), "worker", *queues.QUEUES]
        environment = {**os.environ, "RQ_REDIS_URL": self.stack.queue_url}
        with (self.stack.directory / "logs" / "rq-workers.log").open("ab") as log:
            self._workers = [
                subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                for _ in range(self._count)
            ]
        wait_until(lambda: self.redis.scard("rq:workers") == self._count, "the rq workers are registered")

    def stop(self) -> None:
        self._kill_workers()
        self.stack.down()

    async def offer(self, request_id: str) -> None:
        self._offered.append(request_id)
        await asyncio.to_thread(self._enqueue, request_id)

    def _enqueue(self, request_id: str) -> None:
        Queue(queues.QUEUE, connection=self.redis).enqueue(
            "tests.bench.stock_job.make_picture",
            request_id,
            DEFAULT_ENDPOINTS[Operation.CREATE],
            self.stack.fal_url,
            FAL_KEY,
            str(self.stack.directory / "pictures" / request_id),
            job_id=request_id,
            job_timeout=600,
            result_ttl=3600,
        )

    def depth(self) -> int:
        return _depth(self.redis, queues.QUEUES)

    def worker_pids(self) -> list[int]:
        return [worker.pid for worker in self._workers]

    def endings(self) -> list[Ending]:
        jobs = [job for job in Job.fetch_many(self._offered, connection=self.redis) if job and job.ended_at]
        return [
            Ending(job.id, "done" if job.is_finished else "failed", job.ended_at.timestamp())
            for job in jobs
            if job.ended_at
        ]

    def forget(self) -> None:
        """Begin anew: its backlog would spoil the next row."""
        self._kill_workers()
        self.redis.flushall()
        fresh(self.stack.directory / "pictures")
        self.start()

    def _kill_workers(self) -> None:
        for worker in self._workers:
            for pid in list(processes.tree(worker.pid)):
                os.kill(pid, signal.SIGKILL)
            worker.wait()


def _depth(redis: Redis, names: Iterable[str]) -> int:
    pipeline = redis.pipeline(transaction=False)
    for name in names:
        pipeline.llen(f"rq:queue:{name}")
    return sum(pipeline.execute())


def fal_counts(system: System) -> dict[str, Any]:
    """Return what the system's simulated fal has counted."""
    return cast(dict[str, Any], httpx.get(f"{system.stack.fal_url}/control/counts", timeout=30).json())


def fal_jobs(system: System) -> dict[str, list[dict[str, Any]]]:
    """Return the jobs of the system's simulated fal, by request (whose id is its prompt)."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for job in httpx.get(f"{system.stack.fal_url}/control/jobs", timeout=60).json():
        jobs.setdefault(job["payload"]["prompt"], []).append(job)
    return jobs
