"""An RQ worker that runs many coroutine jobs on one event loop.

A subclass of RQ 3's ``BaseWorker``: registration, commands, retries, callbacks, results and registries are RQ's own
code, run in one thread beside the loop. What is ours is how a job is claimed and how long the claim holds
(``app/worker/leases.py``), and that a stop hands the jobs on instead of waiting for them.
"""

import asyncio
import contextlib
import contextvars
import inspect
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.callbacks import execute_stopped_callback
from rq.command import parse_payload
from rq.executions import Execution
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException, TimerDeathPenalty
from rq.utils import now
from rq.worker import BaseWorker, WorkerStatus

from app.core import sd_notify
from app.worker import executions
from app.worker.executions import HAND_BACK, LOST, STOP, Running
from app.worker.leases import CRASHES_FIELD, Claim, Leases

T = TypeVar("T")

log = logging.getLogger(__name__)

LEASE: Final = 10.0
"""Seconds that a claim holds without a renewal."""
BEAT: Final = 2.0
"""Seconds between renewals, and between looks for leases that ran out."""
RQ_BEAT: Final = 30.0
"""Seconds between heartbeats in RQ's own records."""
WORKER_TTL: Final = 120
"""Seconds that RQ's record of a worker lives without a heartbeat (RQ adds 60)."""
BEAT_LATE: Final = 20.0
"""Seconds without a beat after which the process is no longer reported as healthy."""
IDLE_WAIT: Final = 10.0
"""Seconds of one blocking wait for a job."""
PAUSED_WAIT: Final = 1.0
"""Seconds to the next look while suspended or paused."""
FULL_WAIT: Final = 0.5
"""Seconds to the next look while the cap on jobs over all workers is reached."""
CRASHES_MAX: Final = 2
"""A job that this many workers died of is failed."""

_REDIS_AWAY: Final = (RedisConnectionError, RedisTimeoutError, OSError)


class ForbiddenFunctionError(Exception):
    """A job names a function that this worker does not run."""


class DeadlyJobError(Exception):
    """A job was given up because workers died of it."""


class ConcurrentWorker(BaseWorker):
    """Runs up to ``concurrency`` jobs at once from ``queues`` (priority order).

    ``functions`` is the allow-list: the functions, by dotted name, that jobs and their callbacks may name.
    Coroutine functions run on the loop, others in threads. ``cap`` bounds the jobs of all workers together;
    ``low_share`` of them may always be of the last queue. ``on_failure(job_id, error)`` is awaited before RQ
    records that a job failed for good without its own code's doing (timeout, deadly, forbidden).
    """

    death_penalty_class = TimerDeathPenalty  # signals work in the main thread only

    def __init__(
        self,
        queues: Sequence[str],
        name: str,
        connection: Redis,
        redis: AsyncRedis,
        functions: Mapping[str, Callable[..., Any]],
        *,
        concurrency: int = 16,
        cap: int = 1_000_000,
        low_share: int = 0,
        shutdown_grace: float = 3.0,
        on_failure: Callable[[str, Exception], Awaitable[None]] | None = None,
    ) -> None:
        """``redis`` is a client that answers bytes, used from the event loop; ``connection`` is RQ's own."""
        super().__init__(
            queues,
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL,
            prepare_for_work=False,  # it would ask Redis, which may be away: `_register` does it
        )
        self._redis = redis
        self._functions = functions
        self._concurrency = concurrency
        self._cap = cap
        self._low_share = low_share
        self._shutdown_grace = shutdown_grace
        self._on_failure = on_failure
        self._leases = Leases(redis, name, queues, LEASE)
        self._running: dict[str, Running] = {}  # by execution id
        self._waits: dict[str, asyncio.Task[Any]] = {}  # by queue
        self._taken = 0
        self._threads = ThreadPoolExecutor(concurrency, "job")
        self._bookkeeper = ThreadPoolExecutor(1, "rq")  # one thread: RQ's code never runs twice at once
        self._slot_freed = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._beaten_at = math.inf
        self._reap_from = 0.0  # monotonic time before which a lease that ran out may be Redis' fault

    # -- the worker's life --------------------------------------------------------------------------------------

    def work(self, *_args: Any, **_kwargs: Any) -> bool:
        """Work until SIGTERM or SIGINT; return whether any job was taken. RQ's options have no meaning here."""
        return asyncio.run(self.main())

    async def main(self) -> bool:
        """Register, take back what a dead predecessor of this name held, and serve the queues until told to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        watchdog = asyncio.create_task(self._watchdog())
        life = asyncio.create_task(self._live())
        stop = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait({stop, life}, return_when=asyncio.FIRST_COMPLETED)
        self._stop_asked.set()
        sd_notify.notify("STOPPING=1")
        life.cancel()
        broken = next(iter(await asyncio.gather(life, return_exceptions=True)))
        beats = asyncio.create_task(self._beat_on())
        try:
            await self._drain()
            async with asyncio.timeout(1):
                await self._rq(self.teardown)
        except (*_REDIS_AWAY, TimeoutError) as error:
            log.warning("Redis is away while stopping (%s): the leases will run out", type(error).__name__)
        finally:
            for task in (watchdog, beats, *self._waits.values()):
                task.cancel()
        if isinstance(broken, Exception) and not isinstance(broken, _REDIS_AWAY):
            raise broken
        return bool(self._taken)

    async def _live(self) -> None:
        await self._until_redis_answers(self._register)
        sd_notify.notify("READY=1")
        log.info("%s serves %s", self.name, ", ".join(self.queue_names()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat_on())
            group.create_task(self._serve())

    async def _register(self) -> None:
        back = await self._leases.take_back_own()
        if back:
            log.warning("took back %d jobs that this worker's last process left behind", len(back))
        await self._rq(self._bootstrap)

    def _bootstrap(self) -> None:
        self.hostname, self.pid = socket.gethostname(), os.getpid()
        self._set_ip_address(self.connection)
        self.bootstrap("WARNING")
        self.scheduler = RQScheduler(self.queues, self.connection, serializer=self.serializer, name=self.name)
        self.scheduler.register_birth()

    def register_birth(self) -> None:
        """Register under this name, in place of a predecessor that died without saying so."""
        self.connection.delete(self.key)
        super().register_birth()

    def stop_scheduler(self) -> None:
        """Leave the scheduler's locks to others (RQ's own scheduler is a process; here it has none)."""
        if self.scheduler:
            self.scheduler.stop()

    async def _drain(self) -> None:
        """Let jobs that are about to end do so, hand the others back, all in less than five seconds."""
        tasks = {running.task for running in self._running.values() if running.task}
        if not tasks:
            return
        log.info("stopping: %d jobs have %g s to end, then go back", len(tasks), self._shutdown_grace)
        await asyncio.wait(tasks, timeout=self._shutdown_grace)
        left = list(self._running.values())
        for running in left:
            running.cancel(HAND_BACK)
        await asyncio.wait(tasks, timeout=1)  # a submit that is on its way is still recorded
        back = await self._leases.give_back([running.claim for running in left])
        log.info("handed %d jobs back", len(back))

    # -- staying alive ------------------------------------------------------------------------------------------

    async def _watchdog(self) -> None:
        """Ping systemd as long as the loop turns and the beats go on, whether or not Redis is there."""
        interval = sd_notify.watchdog_interval()
        while interval:
            if time.monotonic() - self._beaten_at < BEAT_LATE:
                sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(interval)

    async def _beat_on(self) -> None:
        """Renew leases, take back those of the dead, and keep RQ's records alive. Survives every error."""
        rq_beat_at = 0.0
        while True:
            self._beaten_at = time.monotonic()
            try:
                async with asyncio.timeout(BEAT_LATE / 2):
                    tell_rq = time.monotonic() >= rq_beat_at
                    await self._beat(tell_rq=tell_rq)
                    if tell_rq:
                        rq_beat_at = time.monotonic() + RQ_BEAT
            except (*_REDIS_AWAY, TimeoutError):
                self._reap_from = time.monotonic() + LEASE
            except Exception:
                log.exception("a beat failed")
            await asyncio.sleep(BEAT)

    async def _beat(self, *, tell_rq: bool) -> None:
        claims = [running.claim for running in self._running.values()]
        lost = await self._leases.renew(claims, tell_rq=tell_rq)
        for running in list(self._running.values()):
            if running.lease.execution in lost:
                running.cancel(LOST)
        if not self._stop_asked.is_set() and time.monotonic() >= self._reap_from:
            await self._reap()
        waiting = [await self._redis.llen(queue.key) for queue in self.queues]
        queues = ", ".join(
            f"{queue.name} {count}" for queue, count in zip(self.queues, waiting, strict=True) if count
        )
        sd_notify.notify(f"STATUS={len(self._running)}/{self._concurrency} jobs" + (f", {queues}" if queues else ""))
        await self._rq(self._beat_rq, tell_rq)

    async def _reap(self) -> None:
        """Take back the jobs of dead workers, unless Redis is too young to know who is alive."""
        server = await self._redis.info("server")
        if server["uptime_in_seconds"] <= LEASE:
            return
        back = await self._leases.reap()
        if back:
            log.warning("took back %d jobs of workers that are gone", len(back))

    def _beat_rq(self, everything: bool) -> None:
        """RQ's part of a beat: delayed jobs, and now and then heartbeat and maintenance."""
        scheduler = self.scheduler
        if everything:
            with self.connection.pipeline() as pipeline:
                self.heartbeat(pipeline=pipeline)
                self.set_state(WorkerStatus.BUSY if self._running else WorkerStatus.IDLE, pipeline=pipeline)
                if pipeline.execute()[0] == 1:  # the record had vanished: Redis lost it
                    self.register_birth()
            if self.should_run_maintenance_tasks:
                self.clean_registries()
                self.clean_group_registries()
            if scheduler:
                scheduler.acquire_locks()
        if scheduler and scheduler.acquired_locks:
            scheduler.enqueue_scheduled_jobs()
            if everything:
                scheduler.heartbeat()

    async def _rq(self, function: Callable[..., None], *args: Any) -> None:
        """Run RQ's blocking code in its thread."""
        await asyncio.get_running_loop().run_in_executor(self._bookkeeper, function, *args)

    async def _until_redis_answers(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call until Redis is there to answer it; give up when the worker is to stop."""
        delay = 0.1
        while True:
            try:
                return await call()
            except _REDIS_AWAY as error:
                if self._stop_asked.is_set():
                    raise
                self._reap_from = time.monotonic() + LEASE
                if delay < 0.2:
                    log.warning("waiting for Redis: %s", error)
                sd_notify.notify("STATUS=waiting for Redis", "EXTEND_TIMEOUT_USEC=60000000")
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    # -- taking jobs ----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Fill free slots with jobs; wait for a job, a slot, or the end of a pause."""
        while True:
            self._slot_freed.clear()
            free = self._concurrency - len(self._running)
            if not free:
                await self._slot_freed.wait()
                continue
            claim_some = partial(self._leases.claim, free, self._cap, self._low_share)
            state, claims = await self._until_redis_answers(claim_some)
            for claim in claims:
                self._start(claim)
            if len(claims) == free:
                continue
            if state == "claimed":
                await self._until_redis_answers(self._job_waits)
            else:  # suspended, paused, or the cap is reached: a job may wait, so waiting for one would not wait
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._slot_freed.wait(), FULL_WAIT if state == "full" else PAUSED_WAIT)

    async def _job_waits(self) -> None:
        """Return when a job waits in any queue, or after ``IDLE_WAIT`` seconds.

        ``BLMOVE`` of a list's head onto the same list's head blocks until there is one and changes nothing.
        """
        for queue in self.queues:
            if queue.name not in self._waits:
                wait = self._redis.blmove(queue.key, queue.key, int(IDLE_WAIT), "LEFT", "LEFT")
                self._waits[queue.name] = asyncio.ensure_future(wait)
        await asyncio.wait(self._waits.values(), return_when=asyncio.FIRST_COMPLETED)
        finished = [name for name, wait in self._waits.items() if wait.done()]
        for wait in [self._waits.pop(name) for name in finished]:
            wait.result()

    def _start(self, claim: Claim) -> None:
        self._taken += 1
        queue = next(queue for queue in self.queues if queue.name == claim.queue)
        job = self.job_class(claim.job_id, connection=self.connection, serializer=self.serializer)
        job.restore(claim.job_hash)
        execution = Execution(claim.execution_id, claim.job_id, self.connection, self.name)
        execution._job = job
        running = Running(claim, job, queue, execution)
        self._running[claim.execution_id] = running
        self.executions[claim.execution_id] = execution
        running.task = asyncio.create_task(self._run(running), name=f"job {claim.job_id}")
        running.task.add_done_callback(lambda task: self._ended(running, task))

    def _ended(self, running: Running, task: "asyncio.Task[None]") -> None:
        self._running.pop(running.claim.execution_id, None)
        self.executions.pop(running.claim.execution_id, None)
        self._slot_freed.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("job %s: its outcome could not be recorded", running.job.id, exc_info=error)

    # -- running a job --------------------------------------------------------------------------------------------

    async def _run(self, running: Running) -> None:
        """Run one job and let RQ record the outcome; a job that is handed back or lost has none."""
        job = running.job
        executions.current.set(running)
        own_code = False
        try:
            function = self._function(running)
            own_code = True
            value = await self._call(running, function)
            finish = partial(self._succeed, running, value)
        except asyncio.CancelledError:
            if running.cancelled_as != STOP:
                log.info("job %s: %s", job.id, running.cancelled_as)
                return
            finish = partial(self._stop, running)
        except Exception as error:
            if self._on_failure and (not own_code or isinstance(error, JobTimeoutException)):
                await self._until_redis_answers(partial(self._on_failure, job.id, error))
            finish = partial(self._finalize_failure, job, running.queue, running.execution, sys.exc_info())
        # From here on the outcome is known: neither a stop nor a drain may cut its recording short.
        running.cancelled_as = running.cancelled_as or "ended"
        await self._until_redis_answers(partial(self._record, running, finish))

    def _function(self, running: Running) -> Callable[..., Any]:
        """Return the function that a job names, if the allow-list has it and its callbacks."""
        crashes = int(running.claim.job_hash.get(CRASHES_FIELD.encode(), 0))
        if crashes >= CRASHES_MAX:
            raise DeadlyJobError(f"{crashes} workers died while this job had their process")
        job = running.job
        callbacks = (job._success_callback_name, job._failure_callback_name, job._stopped_callback_name)
        for name in (job.func_name, *(name for name in callbacks if name)):
            if name not in self._functions:
                raise ForbiddenFunctionError(f"this worker does not run {name!r}")
        return self._functions[str(job.func_name)]

    async def _call(self, running: Running, function: Callable[..., Any]) -> Any:
        job = running.job
        job.started_at = now()
        timeout = job.timeout if job.timeout is not None else self.queue_class.DEFAULT_TIMEOUT
        try:
            async with asyncio.timeout(None if timeout < 0 else timeout) as limit:
                if inspect.iscoroutinefunction(function):
                    return await function(*job.args, **job.kwargs)
                context = contextvars.copy_context()
                return await asyncio.get_running_loop().run_in_executor(
                    self._threads, lambda: context.run(function, *job.args, **job.kwargs)
                )
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise JobTimeoutException(f"Task exceeded maximum timeout value ({timeout} seconds)") from error

    async def _record(self, running: Running, finish: Callable[[], None]) -> None:
        """Let RQ record an outcome, if the job is still ours."""
        if await self._leases.renew([running.claim], tell_rq=False):
            log.warning("job %s ended after its lease was lost: its outcome is not recorded", running.job.id)
            return
        await self._rq(finish)

    def _succeed(self, running: Running, value: Any) -> None:
        try:
            self._finalize_success(running.job, running.queue, running.execution, value)
        except _REDIS_AWAY:
            raise
        except Exception:  # a callback failed, or the value can't be serialised: then RQ fails the job
            self._finalize_failure(running.job, running.queue, running.execution, sys.exc_info())

    def _stop(self, running: Running) -> None:
        job = running.job
        self._stopped_job_id = job.id
        self.handle_execution_ended(job, running.queue, job.stopped_callback_timeout)
        if job.stopped_callback:
            execute_stopped_callback(job, self.death_penalty_class)
        registry = running.queue.started_job_registry
        self.handle_job_failure(job, running.queue, registry, "Job stopped by user.", running.execution)

    def cleanup_execution(self, job: Job, pipeline: Pipeline, execution: Execution | None = None) -> None:
        """End the lease in the transaction in which RQ forgets the execution."""
        super().cleanup_execution(job, pipeline, execution)
        if execution and (running := self._running.get(execution.id)):
            pipeline.zrem(running.lease.key, running.lease.execution)

    @property
    def connection_timeout(self) -> int:
        """Seconds that RQ wants a socket to wait at least: nothing here blocks on RQ's connection."""
        return 0

    def _pubsub_exception_handler(self, exc: Exception, pubsub: Any, pubsub_thread: Any) -> None:
        """Go on after a time-out as after a lost connection; RQ's own handler ends the thread."""
        error = RedisConnectionError(str(exc)) if isinstance(exc, _REDIS_AWAY) else exc
        super()._pubsub_exception_handler(error, pubsub, pubsub_thread)

    # -- commands -------------------------------------------------------------------------------------------------

    def handle_payload(self, message: Any) -> None:
        """Handle a command (in RQ's subscriber thread). RQ's own ``stop-job`` knows of one job only."""
        payload = parse_payload(message)
        if payload.get("command") == "stop-job":
            for running in list(self._running.values()):
                if running.job.id == payload.get("job_id"):
                    self.request_stop_execution(running.claim.execution_id)
            return
        super().handle_payload(message)

    def request_stop_execution(self, execution_id: str) -> None:
        """Stop one execution; ignored if it is not at work here."""
        running = self._running.get(execution_id)
        if running and running.task:
            running.task.get_loop().call_soon_threadsafe(running.cancel, STOP)
