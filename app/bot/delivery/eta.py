"""Where a request stands, how long it will take, and how to say so."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from redis.asyncio import Redis
from rq import Queue

from app.bot.texts import Translator
from app.core import redis_keys
from app.core.operations import Operation
from app.core.pause import Pause
from app.core.queues import QUEUES
from app.core.requests import RequestRecord, RequestState

RUN_TIMES: Final = 50
"""An endpoint's last run times that count."""
RUN_TIMES_NEEDED: Final = 5
"""Run times without which nothing is foretold."""
FRESH: Final = 1.0
"""Seconds for which one look at the queues serves all."""
LONG: Final = 2
"""How many times the usual time is longer than usual."""
ELAPSED_STEP: Final = 5
"""Seconds in which elapsed time is told."""


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """What has to be known of a request to say where it stands; ``started_at`` (Unix s): when fal took it."""

    request_id: str
    operation: Operation
    state: RequestState
    joined_to: str = ""
    started_at: float | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether fal has it, or had."""
        return self.state in (RequestState.SUBMITTED, RequestState.STORED)

    @classmethod
    def of(cls, record: RequestRecord) -> "RequestStatus":
        """Return where the request of a record stands."""
        return cls(record.request.id, record.request.operation, record.state, record.joined_to, record.started_at)


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queues at one moment.

    ``places``: from 1, in the order in which workers will take them; ``running`` of ``slots`` requests are at work;
    ``run_times``: seconds that an operation takes, where that is known; ``pause``: why nothing is taken for now.
    """

    places: Mapping[str, int]
    running: int
    slots: int
    run_times: Mapping[Operation, float]
    pause: Pause | None = None

    def place(self, status: RequestStatus) -> int | None:
        """Return a request's place, or None if it waits no more. One that joined another stands where that does."""
        return self.places.get(status.joined_to or status.request_id)

    def seconds_left(self, status: RequestStatus) -> float | None:
        """Return how long a waiting request will take until it is drawn, or None if that can't be told.

        Slots become free at the rate ``slots / run time`` (Little's law); all waiting ones count as of one kind.
        """
        run_time = self.run_times.get(status.operation)
        place = self.place(status)
        if run_time is None or place is None or self.pause:
            return None
        ahead = max(0, place - max(0, self.slots - self.running))
        return run_time * (1 + ahead / self.slots)


class EtaEstimator:
    """Looks at the queues: one ``LRANGE`` for each, however many requests ask."""

    def __init__(self, redis: Redis, endpoints: Mapping[Operation, str], slots: int) -> None:
        """``endpoints``: which endpoint does an operation; ``slots``: how many requests may be at work at once."""
        self._redis = redis
        self._endpoints = endpoints
        self._slots = slots
        self._last: tuple[float, QueueState] | None = None

    async def recent(self) -> QueueState:
        """Return how it looks, or looked a moment ago."""
        if self._last is None or time.monotonic() - self._last[0] > FRESH:
            return await self.look()
        return self._last[1]

    async def look(self) -> QueueState:
        """Return how it looks now."""
        used = sorted(set(self._endpoints.values()))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                pipeline.lrange(Queue.redis_queue_namespace_prefix + queue, 0, -1)
                pipeline.zcard(redis_keys.leases(queue))
            for endpoint in used:
                pipeline.lrange(redis_keys.latency(endpoint), 0, RUN_TIMES - 1)
            pipeline.get(redis_keys.PAUSED)
            answers: list[Any] = await pipeline.execute()
        split = 2 * len(QUEUES)
        waiting = [request_id for ids in answers[0:split:2] for request_id in ids]
        run_times = dict(zip(used, (_typical(times) for times in answers[split:-1]), strict=True))
        queue_state = QueueState(
            places={request_id: place for place, request_id in enumerate(waiting, start=1)},
            running=sum(answers[1:split:2]),
            slots=self._slots,
            run_times={
                operation: run_time
                for operation, endpoint in self._endpoints.items()
                if (run_time := run_times[endpoint]) is not None
            },
            pause=Pause.parse(answers[-1]),
        )
        self._last = (time.monotonic(), queue_state)
        return queue_state


def describe(status: RequestStatus, queue_state: QueueState, translate: Translator, now: float) -> str:
    """Return the sentence that says where a request stands at the time ``now`` (Unix s).

    What is about to begin, for there is a free slot, is said to be drawn: nobody has to wait for anybody.
    """
    usual = queue_state.run_times.get(status.operation)
    if status.is_drawn:
        elapsed = max(0, int(now - (status.started_at or now))) // ELAPSED_STEP * ELAPSED_STEP
        return _drawing(elapsed, usual, translate)
    if queue_state.pause:
        return translate(f"status-paused-{queue_state.pause.kind}")
    place = queue_state.place(status)
    if usual is not None and (place is None or place <= queue_state.slots - queue_state.running):
        return _drawing(0, usual, translate)
    if place is None:
        return translate("status-next")
    seconds = queue_state.seconds_left(status)
    if seconds is None:
        return translate("status-queued", place=place)
    return translate("status-queued-eta", place=place, left=_duration(seconds, translate))


def _drawing(elapsed: int, usual: float | None, translate: Translator) -> str:
    """Say how long something has been drawn, and how long that takes as a rule, where that is known (s)."""
    if usual is None:
        return (
            translate("status-drawing-since", elapsed=_duration(elapsed, translate))
            if elapsed
            else translate("status-drawing")
        )
    if elapsed > LONG * usual:
        return translate("status-drawing-long")
    if not elapsed:
        return translate("status-drawing-usual", usual=_duration(usual, translate))
    return translate("status-drawing-of", elapsed=_duration(elapsed, translate), usual=_duration(usual, translate))


def _duration(seconds: float, translate: Translator) -> str:
    """Say a time, rounded up: to five seconds below a minute, to whole minutes above."""
    rounded = math.ceil(seconds / ELAPSED_STEP) * ELAPSED_STEP
    if rounded < 60:
        return translate("status-seconds", seconds=rounded)
    return translate("status-minutes", minutes=math.ceil(rounded / 60))


def _typical(times: list[str]) -> float | None:
    return median(float(took) for took in times) if len(times) >= RUN_TIMES_NEEDED else None
