"""The queue: who runs, who waits, and the log of every job."""

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from .faults import CANCELLED, ENDINGS, Ending, Faults, by_share, read_prompt
from .latency import Latency
from .models import app_of
from .pictures import Shape
from .settings import Settings

JSON = dict[str, Any]
_LOGGED_TEXT = 2_000  # characters; data URIs would fill the log


@dataclass
class Job:
    """One request and all that is known of it. Times are Unix seconds."""

    request_id: str
    endpoint: str
    payload: JSON
    headers: dict[str, str]
    base: str
    """The simulator's address as the client spelled it."""
    kind: str
    duration_s: float
    submitted_at: float = field(default_factory=time.time)
    started_at: float | None = None
    completed_at: float | None = None
    first_seen_completed_at: float | None = None
    fetched_at: float | None = None
    status: str = "IN_QUEUE"
    ending: Ending = ENDINGS["ok"]
    answer_status: int = 0
    answer: Any = None
    answer_headers: dict[str, str] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)
    billed: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        """The response URL; status and cancel hang below it."""
        return f"{self.base}/{app_of(self.endpoint)}/requests/{self.request_id}"

    @property
    def prompt(self) -> str:
        """The prompt, empty where there is none."""
        return str(self.payload.get("prompt") or "")

    def log(self) -> JSON:
        """What `GET /control/jobs` tells."""
        shown = {
            name: value[:_LOGGED_TEXT] if isinstance(value, str) else value for name, value in self.payload.items()
        }
        plain = ("request_id", "endpoint", "kind", "duration_s", "submitted_at", "started_at", "completed_at")
        more = ("first_seen_completed_at", "fetched_at", "status", "answer_status", "billed", "headers")
        row = {name: getattr(self, name) for name in (*plain, *more)}
        return row | {"payload": shown, "polls": self.calls["status"], "calls": dict(self.calls)}


class JobBook:
    """The account's jobs: at most `concurrency_limit` IN_PROGRESS, the others wait in order."""

    def __init__(self, settings: Settings, faults: Faults, work: Callable[[Job], Awaitable[float]]) -> None:
        """Take `work(job)`, which fills in the job's answer and gives the seconds the model runs for it."""
        self._settings = settings
        self._faults = faults
        self._work = work
        self._chance = random.Random(settings.seed)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.jobs: dict[str, Job] = {}
        self.waiting: list[Job] = []
        self.low: list[Job] = []
        self.in_progress_max = 0
        self.waiting_max = 0
        self.new_latency()

    def new_latency(self) -> None:
        """Start a distribution anew after its settings changed."""
        self.latency = Latency(self._settings.median_s, self._settings.p95_s, self._settings.seed)

    def submit(self, endpoint: str, payload: JSON, headers: dict[str, str], base: str) -> Job:
        """Create a job, decide its fate, and start it if the account has a place."""
        prompt = str(payload.get("prompt") or "")
        kind, seconds = read_prompt(prompt)
        kind = kind or self._faults.for_job(prompt) or by_share(self._settings.errors, self._chance) or "ok"
        drawn = self.latency.draw() * self._settings.time_scale if seconds is None else seconds
        job = Job(str(uuid.uuid4()), endpoint, payload, headers, base, kind, drawn)
        self.jobs[job.request_id] = job
        (self.low if headers.get("X-Fal-Queue-Priority") == "low" else self.waiting).append(job)
        self._fill()
        limit = headers.get("X-Fal-Request-Timeout")
        if limit and job.status == "IN_QUEUE":
            loop = asyncio.get_running_loop()
            self._timers[job.request_id] = loop.call_later(float(limit), self._too_late, job)
        return job

    def position(self, job: Job) -> int:
        """Give the number of jobs that start before this one."""
        return (self.waiting + self.low).index(job)

    def cancel(self, job: Job) -> bool:
        """Ask for a cancel; False says that the job had completed already."""
        if job.status == "COMPLETED":
            return False
        if job.status == "IN_QUEUE":
            (self.waiting if job in self.waiting else self.low).remove(job)
        elif self._settings.cancel == "ignore" or job.kind == "cancel_ignored":
            return True
        else:
            self._tasks.pop(job.request_id).cancel()
        self._fail(job, CANCELLED)
        self._fill()
        return True

    def fill(self) -> None:
        """Start what may start, after the limit was raised."""
        self._fill()

    def stop(self) -> None:
        """Forget everything that runs."""
        for task in self._tasks.values():
            task.cancel()
        for timer in self._timers.values():
            timer.cancel()

    def _fill(self) -> None:
        while (self.waiting or self.low) and len(self._tasks) < self._settings.concurrency_limit:
            job = (self.waiting or self.low).pop(0)
            if timer := self._timers.pop(job.request_id, None):
                timer.cancel()
            job.status, job.started_at = "IN_PROGRESS", time.time()
            self._tasks[job.request_id] = asyncio.get_running_loop().create_task(self._run(job))
        self.in_progress_max = max(self.in_progress_max, len(self._tasks))
        self.waiting_max = max(self.waiting_max, len(self.waiting) + len(self.low))

    async def _run(self, job: Job) -> None:
        begun = time.monotonic()
        seconds = await self._work(job)
        await asyncio.sleep(max(0.0, seconds - (time.monotonic() - begun)))
        if not job.ending.completes:
            return  # keeps its place among the running for ever
        del self._tasks[job.request_id]
        job.billed += job.ending.billed
        self._complete(job)
        self._fill()

    def _too_late(self, job: Job) -> None:
        (self.waiting if job in self.waiting else self.low).remove(job)
        self._fail(job, ENDINGS["request_timeout"])
        job.answer_headers["X-Fal-Request-Timeout-Type"] = "user"

    def _fail(self, job: Job, ending: Ending) -> None:
        job.ending, job.answer_status = ending, ending.status
        job.answer = {"detail": ending.message, "error_type": ending.type}
        job.answer_headers = {"X-Fal-Error-Type": ending.type}
        self._complete(job)

    def _complete(self, job: Job) -> None:
        if timer := self._timers.pop(job.request_id, None):
            timer.cancel()
        job.status, job.completed_at = "COMPLETED", time.time()
