"""RQ's side of a worker: its records, commands, retries, callbacks and registries, all RQ's own blocking code.

None of it runs on the event loop, and none of it twice at a time: ``ConcurrentWorker`` calls it in threads, in turn.
"""

import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from rq.callbacks import execute_stopped_callback
from rq.command import parse_payload
from rq.executions import Execution
from rq.job import Job, Retry
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.worker import BaseWorker, WorkerStatus

from app.core.redis_clients import REDIS_AWAY, passes
from app.worker.executions import Ending, Running
from app.worker.put_back import CRASHES_FIELD

log = logging.getLogger(__name__)

WORKER_TTL: Final = 120
"""Seconds that RQ's record of a worker lives without a heartbeat (RQ adds 60)."""
EARLY_STOP_LIFE: Final = 10.0
"""Seconds for which a stop waits for its job: RQ calls a job started once it is claimed, a moment before it runs."""
CRASHES_MAX: Final = 2
"""A job that this many workers died of is failed."""

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


class ForbiddenFunctionError(Exception):
    """A job names a function that this worker does not run."""


class DeadlyJobError(Exception):
    """A job was given up because workers died of it."""


class CallbackTimer(TimerDeathPenalty):
    """RQ's time limit for callbacks, in threads, where signals do not work.

    RQ's class writes the message into the exception class itself; this one gives it a class of its own.
    """

    def __init__(self, timeout: int, exception: type[Exception] = JobTimeoutException, **kwargs: Any) -> None:
        super().__init__(timeout, type(exception.__name__, (exception,), {}), **kwargs)


class RqAdapter(BaseWorker):
    """A worker's records in RQ. ``functions``: what jobs and their callbacks may name, by dotted name."""

    death_penalty_class = CallbackTimer

    def __init__(
        self, queues: Sequence[str], name: str, connection: Redis, functions: Mapping[str, Callable[..., Any]]
    ) -> None:
        super().__init__(
            queues,
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            prepare_for_work=False,  # it would ask Redis, which may be away: `register` does it
        )
        self._functions = functions
        self._running: dict[str, Running] = {}  # by execution id
        self._early_stops: dict[str, float] = {}  # job id -> when it was told to stop, not running yet (monotonic, s)

    # -- the worker's own record ----------------------------------------------------------------------------------

    def register(self) -> None:
        """Tell RQ of this worker, and listen to commands. May be repeated."""
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self._set_ip_address(self.connection)
        self.bootstrap("WARNING")
        self.scheduler = RQScheduler(self.queues, self.connection, serializer=self.serializer, name=self.name)
        self.scheduler.register_birth()

    def register_birth(self) -> None:
        """Register under this name, in place of a predecessor that died without saying so."""
        self.connection.delete(self.key)
        super().register_birth()

    def subscribe(self) -> None:
        """Listen to commands, once."""
        if self.pubsub_thread is None:
            super().subscribe()

    def tell(self, state: WorkerStatus, *, everything: bool) -> None:
        """Keep RQ's records: the worker's state, delayed jobs; and ``everything``: heartbeat and maintenance."""
        scheduler = self.scheduler
        if everything:
            with self.connection.pipeline() as pipeline:
                self.heartbeat(pipeline=pipeline)
                if pipeline.execute()[0] == 1:  # the record had vanished: Redis lost it
                    self.register_birth()
                    self._state = ""
            if self.should_run_maintenance_tasks:
                self.clean_registries()
                self.clean_group_registries()
            if scheduler:
                scheduler.register_birth()
                scheduler.acquire_locks()
        if state != self._state:
            self.set_state(state)
        if scheduler and scheduler.acquired_locks:
            scheduler.enqueue_scheduled_jobs()

    def stop_scheduler(self) -> None:
        """Leave the scheduler's locks to others (RQ's own scheduler is a process; here it has none)."""
        if self.scheduler:
            self.scheduler.stop()

    @property
    def connection_timeout(self) -> int:
        """Seconds that RQ wants a socket to wait at least: nothing here blocks on RQ's connection."""
        return 0

    # -- jobs -----------------------------------------------------------------------------------------------------

    def function_of(self, running: Running) -> Callable[..., Any]:
        """Return the function that a job is to call. RQ would import whatever a job names; this imports nothing.

        Raises:
            ForbiddenFunctionError: the allow-list lacks the function or a callback; the callbacks are disarmed.
            DeadlyJobError: too many workers died of the job.
        """
        if running.broken:
            raise running.broken
        job = running.job
        callbacks = {
            "success": job._success_callback_name,
            "failure": job._failure_callback_name,
            "stopped": job._stopped_callback_name,
        }
        for event, name in callbacks.items():
            setattr(job, f"_{event}_callback", self._functions.get(name) if name else None)
        for name in (job.func_name, *(name for name in callbacks.values() if name)):
            if name not in self._functions:
                raise ForbiddenFunctionError(f"this worker does not run {name!r}")
        crashes = int(running.claim.job_hash.get(CRASHES_FIELD.encode(), 0))
        if crashes >= CRASHES_MAX:
            raise DeadlyJobError(f"{crashes} workers died while this job had their process")
        return self._functions[str(job.func_name)]

    def record_success(self, running: Running, value: Any) -> None:
        """Record that a job returned; a failure of its callback, or an unserialisable value, fails it."""
        try:
            self._finalize_success(running.job, running.queue, running.execution, value)
            if isinstance(value, Retry):
                self._check_recorded(running, running.job.retries_left)
        except REDIS_AWAY:
            raise
        except Exception:
            self.record_failure(running, sys.exc_info())

    def record_failure(self, running: Running, exc_info: ExcInfo) -> None:
        """Record that a job raised: RQ queues it again if it has retries left."""
        job, retries = running.job, running.job.retries_left
        try:
            self._finalize_failure(job, running.queue, running.execution, exc_info)
        except REDIS_AWAY:
            raise
        except Exception:  # a broken record: what RQ can't even describe is failed all the same
            log.exception("job %s: its failure can't be described", job.id)
            self.handle_job_failure(job, running.queue, exc_string=repr(exc_info[1]), execution=running.execution)
        self._check_recorded(running, retries)

    def record_stop(self, running: Running) -> None:
        """Record that a job was stopped on command."""
        job = running.job
        self._stopped_job_id = job.id
        self.handle_execution_ended(job, running.queue, job.stopped_callback_timeout)
        try:
            execute_stopped_callback(job, self.death_penalty_class)
        except Exception:
            log.warning("job %s: its callback for being stopped failed", job.id)  # RQ has logged how
        self.handle_job_failure(job, running.queue, exc_string="Job stopped by user.", execution=running.execution)
        self._check_recorded(running, job.retries_left)

    def _check_recorded(self, running: Running, retries: int | None) -> None:
        """RQ swallows what Redis answers to a failure's record. The lease ends with it: if it stands, try again."""
        if self.connection.zscore(running.lease.key, running.lease.execution) is not None:
            running.job.retries_left = retries
            raise RedisConnectionError("a failure was not recorded")

    def cleanup_execution(self, job: Job, pipeline: Pipeline, execution: Execution | None = None) -> None:
        """End the lease in the transaction in which RQ forgets the execution."""
        super().cleanup_execution(job, pipeline, execution)
        if execution and (running := self._running.get(execution.id)):
            pipeline.zrem(running.lease.key, running.lease.execution)

    # -- commands (in RQ's subscriber thread) -----------------------------------------------------------------------

    def handle_payload(self, message: Any) -> None:
        """Handle a command. RQ's own ``stop-job`` knows of one job only."""
        payload = parse_payload(message)
        if payload.get("command") == "stop-job":
            job_id = str(payload.get("job_id"))
            now = time.monotonic()
            recent = {name: at for name, at in self._early_stops.items() if now - at < EARLY_STOP_LIFE}
            self._early_stops = recent | {job_id: now}
            self._stop_if_told(job_id)
            return
        super().handle_payload(message)

    def _stop_if_told(self, job_id: str) -> None:
        """Stop a job's executions here, if a command to stop it has come just now."""
        told_at = self._early_stops.get(job_id, -EARLY_STOP_LIFE)
        executions = [each for each in list(self._running.values()) if each.job.id == job_id and each.task]
        if not executions or time.monotonic() - told_at >= EARLY_STOP_LIFE:
            return
        self._early_stops.pop(job_id, None)
        for running in executions:
            self.request_stop_execution(running.claim.execution_id)

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution; ignored if it is not at work here."""
        running = self._running.get(execution_id)
        if running and running.task:
            running.task.get_loop().call_soon_threadsafe(running.cancel, Ending.STOP)

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Go on listening, whatever happens; RQ's own handler ends the thread for most errors."""
        if not passes(exc):
            log.warning("a command could not be handled: %r", exc)
        if isinstance(exc, REDIS_AWAY):
            time.sleep(1)  # redis-py then connects and subscribes again
