"""The execution that the running code belongs to, for jobs that want to know."""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue

from app.core import redis_keys
from app.core.requests import Lease
from app.worker.leases import WAITING_FIELD, Claim

STOP: Final = "stop"
"""Message of the ``CancelledError`` in a job that was told to stop (``rq``'s stop command)."""
HAND_BACK: Final = "hand-back"
"""... in a job that goes back to its queue: another worker will go on with it."""
LOST: Final = "lost"
"""... in a job whose lease is gone: another worker has it."""


@dataclass(slots=True)
class Running:
    """A job at work in this process."""

    claim: Claim
    job: Job
    queue: Queue
    execution: Execution
    task: "asyncio.Task[None] | None" = None
    cancelled_as: str | None = None
    """Why the job was cancelled by the worker, if it was: ``STOP``, ``HAND_BACK`` or ``LOST``."""

    @property
    def lease(self) -> Lease:
        """The lease under which the job runs."""
        return Lease(redis_keys.leases(self.claim.queue), self.claim.composite)

    async def set_waiting(self, redis: Redis, waiting: bool) -> None:
        """Note whether the job does nothing but wait: then it is not to blame if its worker dies."""
        await redis.hset(self.execution.key, WAITING_FIELD, int(waiting))

    def cancel(self, why: str) -> None:
        """Cancel the job, unless it has been cancelled already."""
        if self.cancelled_as is None and self.task is not None:
            self.cancelled_as = why
            self.task.cancel(why)


current: ContextVar[Running] = ContextVar("current")
"""The job that the running coroutine or thread works for."""
