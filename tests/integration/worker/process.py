"""``python -m tests.integration.worker.process``: the real worker, with shorter leases, that can kill itself.

``TEST_KILL_AT`` names the point (of ``POINTS``) at which the process kills itself; ``TEST_KILL_MARK`` a file that it
leaves first, so that it does so once. ``TEST_FREEZE_AT_SUBMIT=1``: it stops (SIGSTOP) just before it asks fal.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rq import Callback, Retry

from app.core import logs
from app.core.media import MediaStore
from app.core.redis_clients import queue_redis, rq_redis
from app.core.requests import RequestStore
from app.worker import __main__ as entry
from app.worker import fal_http, retry_policy, submits, sweeper, write_back
from app.worker.concurrent_worker import ConcurrentWorker
from app.worker.executions import Running
from app.worker.fal_queue import FalQueue
from app.worker.leases import Leases
from app.worker.settings import WorkerSettings
from tests.hostile import egress

LEASE, BEAT = 2.0, 0.3
QUICKER = (
    (submits, "SUBMIT_ANSWER_WAIT", LEASE),
    (submits, "LOOK_UP_EVERY", 0.3),
    (submits, "ABSENT_AFTER", 4.0),
    (retry_policy, "DOUBT", 2.0),
    (retry_policy, "BACKOFF_MAX", 0.5),
    (write_back, "TICK_EVERY", 0.3),
    (fal_http, "CALL_SECONDS", fal_http.CALL_SECONDS),
    (fal_http, "FILE_SECONDS", fal_http.FILE_SECONDS),
    (sweeper, "SWEEP_EVERY", 0.5),
    (sweeper, "HEAL_AFTER", 3.0),
    (sweeper, "COMPARE_EVERY", 1.0),
)
"""What the tests do not wait for as long as people do: module, constant, seconds."""
PLAIN_QUEUES = ("plain", "plain_low")
POINTS: dict[str, tuple[type, str]] = {
    "claimed": (Leases, "claim"),
    "begun": (RequestStore, "begin_submit"),
    "answered": (FalQueue, "submit"),
    "submitted": (RequestStore, "mark_submitted"),
    "decoding": (Running, "set_at_work"),
    "kept": (MediaStore, "put"),
    "stored": (RequestStore, "mark_stored"),
}
"""Point -> the method after which it lies."""


def kill_once(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def kill_once_after(method: Callable[..., Any], mark: Path) -> Callable[..., Any]:
    """Return a method that kills the process once it has done its work."""

    @wraps(method)
    async def deadly(*args: Any, **kwargs: Any) -> Any:
        answer = await method(*args, **kwargs)
        idle = isinstance(answer, tuple) and not answer[-1]  # a claim of nothing
        if not idle:
            kill_once(mark)
        return answer

    return deadly


def frozen_before(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method before which the process stops, until it is continued, the first time."""

    @wraps(method)
    async def late(*args: Any, **kwargs: Any) -> Any:
        FalQueue.submit = method  # type: ignore[method-assign]  # the fault is over
        os.kill(os.getpid(), signal.SIGSTOP)
        return await method(*args, **kwargs)

    return late


def late_to_tell(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a claim whose answer comes late, when it has claimed something."""

    @wraps(method)
    async def late(*args: Any, **kwargs: Any) -> Any:
        state, claims = await method(*args, **kwargs)
        if claims:
            await asyncio.sleep(1)
        return state, claims

    return late


# -- functions for tests of what RQ offers, on queues of their own --------------------------------------------------


async def add(first: int, second: int) -> int:
    return first + second


def add_plainly(first: int, second: int) -> int:
    time.sleep(0.01)
    return first + second


async def sleep(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


def sleep_plainly(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def fail() -> None:
    raise ValueError("as it was told")


async def come_again(times: int) -> Retry:
    return Retry(max=times)


def called_back(job: Any, connection: Any, *_outcome: Any) -> None:
    connection.rpush("imagebot:test:called-back", job.id)


def fail_when_called_back(job: Any, connection: Any, *_outcome: Any) -> None:
    raise ValueError("a callback that fails")


def never_to_be_called(job: Any, connection: Any, *_outcome: Any) -> None:
    connection.rpush("imagebot:test:forbidden", job.id)


ALLOWED = (add, add_plainly, sleep, sleep_plainly, die, fail, come_again, called_back,
           fail_when_called_back)  # fmt: skip


def name_of(function: Callable[..., Any]) -> str:
    """Give the dotted name under which a job names a function of this module."""
    return f"tests.integration.worker.process.{function.__name__}"


def callback(function: Callable[..., Any]) -> Callback:
    return Callback(name_of(function))


def plain_worker(settings: WorkerSettings) -> ConcurrentWorker:
    """A worker of the functions above."""
    redis = queue_redis(settings)

    async def on_failure(job_id: str, error: Exception) -> None:
        await redis.rpush("imagebot:test:given-up", f"{job_id} {type(error).__name__}")

    return ConcurrentWorker(
        PLAIN_QUEUES,
        settings.worker_name,
        rq_redis(settings),
        queue_redis(settings, decode_responses=False),
        {name_of(function): function for function in ALLOWED},
        concurrency=settings.worker_concurrency,
        lease=LEASE,
        beat=BEAT,
        shutdown_grace=settings.shutdown_grace,
        on_failure=on_failure,
    )


def main() -> None:
    """Run it."""
    egress.watch(Path(os.environ["TEST_EGRESS"]))
    if point := os.environ.get("TEST_KILL_AT"):
        owner, name = POINTS[point]
        setattr(owner, name, kill_once_after(getattr(owner, name), Path(os.environ["TEST_KILL_MARK"])))
    if os.environ.get("TEST_FREEZE_AT_SUBMIT"):
        FalQueue.submit = frozen_before(FalQueue.submit)  # type: ignore[method-assign]  # a fault is put in
    if os.environ.get("TEST_LATE_CLAIM"):
        Leases.claim = late_to_tell(Leases.claim)  # type: ignore[method-assign]  # a fault is put in
    if os.environ.get("TEST_PLAIN"):
        logs.configure("INFO")
        plain_worker(WorkerSettings.load()).work()
        return
    quick = partial(ConcurrentWorker, lease=LEASE, beat=BEAT)
    with ExitStack() as stack:
        stack.enter_context(patch.object(entry, "ConcurrentWorker", quick))
        for module, name, seconds in QUICKER:
            stack.enter_context(patch.object(module, name, float(os.environ.get(f"TEST_{name}", seconds))))
        raise SystemExit(entry.main())


if __name__ == "__main__":
    main()
