"""The execution that the running code belongs to, for jobs that want to know."""

import asyncio
import math
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from redis.asyncio import Redis
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue

from app.core import redis_keys
from app.core.errors import ImagebotError
from app.core.redis_clients import write
from app.core.redis_retry import retry
from app.core.requests import Lease
from app.worker.leases import EXECUTION_TTL, Claim
from app.worker.put_back import AT_WORK_FIELD


class JobPostponedError(ImagebotError):
    """The job can't go on now, through no fault of its own: it goes back to the head of its queue."""


class Ending(StrEnum):
    """Why the worker itself cancels a job; or that nothing can any more."""

    STOP = "stopped"
    """It was told to (``rq``'s stop command)."""
    HAND_BACK = "handed back"
    """The worker stops: another will go on with the job."""
    LOST = "lost"
    """The lease is gone: another worker has the job."""
    RECORDING = "recording"
    """The job's outcome is known and is being recorded: no longer to be cancelled."""


@dataclass(slots=True)
class Running:
    """A job at work in this process."""

    claim: Claim
    job: Job
    queue: Queue
    execution: Execution
    task: "asyncio.Task[None] | None" = None
    ending: Ending | None = None
    broken: Exception | None = None
    """Why the job's hash could not be read, if so."""
    at_work: bool = False
    """Whether its worker's death would be held against the job."""
    ours_until: float = math.inf
    """Until when (monotonic, s) nobody else can have taken the job over, for all we know."""
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the worker has been told to stop."""

    @property
    def stopping(self) -> bool:
        """Whether nothing new is to be begun: the worker stops, or the job is to end."""
        return self.stop_asked.is_set() or self.ending is not None

    @property
    def surely_ours(self) -> bool:
        """Whether nobody else can have taken the job over, even if this process, or Redis, stood still."""
        return time.monotonic() < self.ours_until

    @property
    def lease(self) -> Lease:
        """The lease under which the job runs."""
        return Lease(redis_keys.leases(self.claim.queue), self.claim.composite)

    async def set_at_work(self, redis: Redis, at_work: bool) -> None:
        """Note whether the job does what its worker may die of; while it only waits it is not to blame."""
        if at_work != self.at_work:
            # With a time to live even if another worker has taken the job over.
            key, field, ttl = self.execution.key, AT_WORK_FIELD, EXECUTION_TTL
            await retry(lambda: write(redis, "HSET", key, field, int(at_work), ttl=ttl))
            self.at_work = at_work

    def cancel(self, ending: Ending) -> None:
        """Cancel the job, unless it is ending already."""
        if self.ending is None and self.task is not None:
            self.ending = ending
            self.task.cancel()


current: ContextVar[Running] = ContextVar("current")
"""The job that the running coroutine or thread works for."""
