"""The real worker with a hostile fal: every answer of all at once, and one sound request beside them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import answers
from tests.hostile.fal import HostileFal, Server
from tests.integration.worker.harness import Harness, WorkerProcess
from tests.support.waiting import wait_until


@dataclass
class Trial:
    """A worker that has met every answer, and what came of it."""

    harness: Harness
    fal: HostileFal
    foreign: Server
    worker: WorkerProcess
    requests: dict[str, str]
    """Case -> the request's id."""
    other: str
    took: dict[str, float]
    """A request's id -> the seconds until it had ended."""


@contextmanager
def under_trial(redis_url: str, directory: Path, **settings: str) -> Iterator[Trial]:
    """Let a worker meet every answer; all requests have ended then."""
    with Server() as foreign, HostileFal(foreign.url) as fal:
        harness = Harness(redis_url, fal.url, directory)
        harness.clear()
        wide = {"WORKER_CONCURRENCY": "300", "FAL_CONCURRENCY": "300", "FAL_REQUESTS_PER_SECOND": "1000"}
        worker = harness.worker(**wide, FAL_RETRIES="1", **settings).until_ready()
        began = time.monotonic()
        requests = {case: harness.order(f"case:{case}") for case in answers.CASES}
        other = harness.order("a fox")
        unended, took = {*requests.values(), other}, {}

        def ended() -> bool:
            for each in [each for each in unended if harness.state(each).is_terminal]:
                took[each] = time.monotonic() - began
                unended.remove(each)
            return not unended

        try:
            wait_until(ended, "every request has ended", 160)
        finally:
            print(*(case for case, each in requests.items() if each in unended), harness.logs(), sep="\n")
        yield Trial(harness, fal, foreign, worker, requests, other, took)
        harness.clear()
