"""What became of every request, and how long each was in nobody's hands."""

import threading
import time
from collections import Counter, defaultdict
from typing import Final

from redis.exceptions import RedisError

from app.core import queues, redis_keys
from tests.bench.systems import Ours

LOOK_EVERY: Final = 0.2
"""Seconds between two looks at the leases; a gap is told too long by as much, never too short."""


class Ledger(threading.Thread):
    """Follows leases and events until told to stop.

    A request is in good hands while a process that lives holds the lease of its job. Every other time between
    accepted and ended counts as a gap, waiting in the queue included: the fleet has room for all.
    """

    def __init__(self, ours: Ours) -> None:
        super().__init__(daemon=True)
        self._ours = ours
        self._stop_asked = threading.Event()
        self._held_until: dict[str, float] = {}
        self._claims: dict[str, tuple[str, float]] = {}  # job:execution -> worker, time of the claim
        self._endings_read = 0
        self._deaths: dict[str, list[float]] = defaultdict(list)
        self._paused: set[str] = set()
        self.accepted: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.executions: Counter[str] = Counter()
        self.longest_gap = 0.0
        self.longest_gap_of = ""

    # -- what the chaos test tells -----------------------------------------------------------------------------------

    def died(self, worker: str) -> None:
        """Note that this worker's process has just died: what it holds is in nobody's hands."""
        self._deaths[worker].append(time.time())

    def paused(self, worker: str) -> None:
        """Note that the process has been stopped."""
        self._paused.add(worker)

    def woken(self, worker: str) -> None:
        """Note that it goes on."""
        self._paused.discard(worker)

    # -- following ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Look, and look again; while Redis is away there is nothing to see."""
        while not self._stop_asked.wait(LOOK_EVERY):
            try:
                self._look()
            except RedisError:
                continue

    def stop(self) -> None:
        """Take a last look and end."""
        self._stop_asked.set()
        self.join()
        self._look()

    def _look(self) -> None:
        accepted = dict(self.accepted)
        at = time.time()
        held = self._held()
        endings = self._ours.endings()
        for ending in endings[self._endings_read :]:
            if ending.request_id in accepted and ending.request_id not in self.ended:
                self.ended[ending.request_id] = ending.at
                self._gap(ending.request_id, self._held_until.get(ending.request_id), ending.at)
        self._endings_read = len(endings)
        for request_id, accepted_at in accepted.items():
            if request_id in self.ended:
                continue
            since = self._held_until.get(request_id, accepted_at)
            self._gap(request_id, since, held.get(request_id, at))
            if request_id in held:
                self._held_until[request_id] = at

    def _gap(self, request_id: str, since: float | None, until: float) -> None:
        if since is not None and until - since > self.longest_gap:
            self.longest_gap, self.longest_gap_of = until - since, request_id

    def _held(self) -> dict[str, float]:
        """Return the requests in good hands, and since when they are in these."""
        redis = self._ours.redis
        pipeline = redis.pipeline()
        for queue in queues.QUEUES:
            pipeline.zrange(redis_keys.leases(queue), 0, -1)
        composites = [composite for members in pipeline.execute() for composite in members]
        new = [composite for composite in composites if composite not in self._claims]
        for composite in new:
            pipeline.hmget(f"rq:execution:{composite}", "worker_name", "created_at")
        for composite, (worker, claimed_at) in zip(new, pipeline.execute(), strict=True):
            if worker:
                self._claims[composite] = (worker, float(claimed_at))
                self.executions[composite.split(":")[0]] += 1
        held = {}
        for composite in composites:
            worker, claimed_at = self._claims.get(composite, ("", 0.0))
            if worker and worker not in self._paused and not any(at >= claimed_at for at in self._deaths[worker]):
                held[composite.split(":")[0]] = claimed_at
        return held
