"""The queues, in the order in which workers serve them, and how a request gets into one."""

import contextlib
from typing import Final

from redis import Redis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer

from app.core import redis_keys
from app.core.lua_scripts import load
from app.core.queue_names import QUEUE, QUEUE_HIGH, QUEUE_LOW, QUEUES

__all__ = ["QUEUE", "QUEUES", "QUEUE_HIGH", "QUEUE_LOW", "enqueue", "stop"]

JOB_FUNCTION: Final = "app.worker.image_worker.make_image"
"""The job. By name, since the bot does not import the worker; the worker runs nothing else."""

JOB_TIMEOUT: Final = -1
"""For RQ: without a limit. What may take how long is in the request's record (``RequestRecord.deadline``)."""
RESULT_TTL: Final = 3600
"""Seconds that RQ keeps a finished job; the request's own record lives on."""
FAILURE_TTL: Final = 7 * 24 * 3600
"""Seconds that RQ keeps a failed job."""
RETRY_AFTER: Final = (2, 10, 30)
"""Seconds before each repetition of a job that broke unexpectedly (what the job handles itself is never repeated)."""
_DROP: Final = load(__file__, "drop_job")


def enqueue(redis: Redis, request_id: str, queue: str = QUEUE) -> bool:
    """Put a recorded request into a queue; return False if it had been put into one before.

    Raises:
        redis.exceptions.OutOfMemoryError: Redis is full; nothing was queued.
    """
    try:
        Queue(queue, connection=redis, serializer=JSONSerializer).enqueue_call(
            JOB_FUNCTION,
            args=(request_id,),
            job_id=request_id,
            description=f"make_image({request_id})",
            timeout=JOB_TIMEOUT,
            result_ttl=RESULT_TTL,
            failure_ttl=FAILURE_TTL,
            retry=Retry(max=len(RETRY_AFTER), interval=list(RETRY_AFTER)),
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True


def stop(redis: Redis, request_id: str) -> None:
    """Take a cancelled request's job out of Redis, or tell the worker that runs it to stop.

    Only spares work: the request's record decides what becomes of it (``RequestStore.cancel``), so that it does not
    matter if the job moves on, or ends, in this very moment. A queued job that fal has, or may have, stays in its
    queue: whoever takes it tells fal.
    """
    keys = [
        redis_keys.rq_job(request_id), redis_keys.request(request_id),
        redis_keys.rq_queue(""), ScheduledJobRegistry.key_template.format(""),
    ]  # fmt: skip
    if redis.register_script(_DROP)(keys=keys, args=[request_id, RESULT_TTL]) == b"started":
        with contextlib.suppress(NoSuchJobError, InvalidJobOperation):
            send_stop_job_command(redis, request_id, serializer=JSONSerializer)
