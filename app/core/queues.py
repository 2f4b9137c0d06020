"""The queues, in the order in which workers serve them, and how a request gets into one."""

from typing import Final

from redis import Redis
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError
from rq.serializers import JSONSerializer

QUEUE_HIGH: Final = "img_queue_high"
QUEUE: Final = "img_queue"
QUEUE_LOW: Final = "img_queue_low"
QUEUES: Final = (QUEUE_HIGH, QUEUE, QUEUE_LOW)

JOB_FUNCTION: Final = "app.worker.image_worker.make_image"
"""The job. By name, since the bot does not import the worker; the worker runs nothing else."""

JOB_TIMEOUT: Final = 600
"""Seconds that one run of a job may take."""
RESULT_TTL: Final = 3600
"""Seconds that RQ keeps a finished job; the request's own record lives on."""
FAILURE_TTL: Final = 7 * 24 * 3600
"""Seconds that RQ keeps a failed job."""


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
            retry=Retry(max=3),  # spent only on what the worker did not handle itself
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True
