"""An RQ worker that runs many coroutine jobs on one event loop.

A subclass of RQ 3's ``BaseWorker``: RQ's own code keeps RQ's records (``app/worker/rq_adapter.py``). What is ours is
how a job is claimed and how long the claim holds (``app/worker/leases.py``, ``heartbeat.py``), and that a stop
hands the jobs on instead of waiting for them. How it behaves when something dies: ``docs/worker.md``.
"""

import asyncio
import contextlib
import inspect
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Final

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import OutOfMemoryError
from rq.executions import Execution
from rq.job import Job, Retry
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker import WorkerStatus

from app.core import sd_notify
from app.core.epoch import NO_EPOCH, Epoch
from app.core.redis_clients import REDIS_AWAY, stay
from app.core.redis_retry import retry
from app.core.requests import LeaseLostError
from app.worker import executions
from app.worker.executions import Ending, JobPostponedError, Running
from app.worker.heartbeat import Heartbeat
from app.worker.job_source import JobSource
from app.worker.leases import Claim, Leases
from app.worker.name_claim import NameClaim
from app.worker.rq_adapter import DeadlyJobError, ForbiddenFunctionError, RqAdapter
from app.worker.threads import in_thread

log = logging.getLogger(__name__)

LEASE: Final = 10.0
"""Seconds that a claim holds without a renewal."""
BEAT: Final = 2.0
"""Seconds between renewals, and between looks at everybody's leases."""
SURE: Final = 0.8
"""Part of a lease's length, from before its renewal was asked for, in which nobody can have taken it over."""
PAUSED_WAIT: Final = 1.0
"""Seconds to the next look while suspended or paused."""
FULL_WAIT: Final = 0.5
"""Seconds to the next look while the cap on jobs over all workers is reached."""
STOP_WAIT: Final = 1.0
"""Seconds that a stopping worker gives to jobs that are cut short, and again to its farewell to Redis."""
SUBMIT_STOP_WAIT: Final = 20.0
"""Seconds that it then gives to submits that are on their way: within the unit's TimeoutStopSec=30, with the rest."""


class ConcurrentWorker(RqAdapter):
    """Runs up to ``concurrency`` jobs at once from ``queues`` (priority order).

    ``functions`` is the allow-list: the functions, by dotted name, that jobs and their callbacks may name. Coroutine
    functions run on the loop, others in threads (which a time-out or a stop can leave behind, but not end).
    ``cap`` bounds the jobs of all workers together; ``low_share`` of them may always be of the last queue.
    Errors of the classes ``final`` are never retried. ``crashes_at_work_only``: jobs say when they are at work
    (``Running.set_at_work``), and are not to blame if their worker dies while they are not.
    ``timed``: RQ's time limits of jobs hold.
    ``on_failure(job_id, error)`` is awaited before RQ records that a job failed for good.
    ``lease`` and ``beat``: seconds that a claim holds, and between its renewals.
    """

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
        final: tuple[type[Exception], ...] = (),
        crashes_at_work_only: bool = False,
        timed: bool = True,
        on_failure: Callable[[str, Exception], Awaitable[None]] | None = None,
        lease: float = LEASE,
        beat: float = BEAT,
        chores: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
        epoch: Epoch = NO_EPOCH,
    ) -> None:
        """``redis`` is a client that answers bytes, used from the event loop; ``connection`` is RQ's own.

        ``chores`` never end; they run beside the jobs until the worker stops.
        """
        super().__init__(queues, name, connection, functions)
        self._concurrency = concurrency
        self._shutdown_grace = shutdown_grace
        self._final: tuple[type[Exception], ...] = (DeadlyJobError, ForbiddenFunctionError, *final)
        self._on_failure = on_failure
        self._sure = lease * SURE
        self._chores = chores
        self._crashes_at_work_only = crashes_at_work_only
        self._timed = timed
        self._leases = Leases(redis, name, queues, lease, crashes_at_work_only=crashes_at_work_only, epoch=epoch)
        self._name_claim = NameClaim(redis, name, lease)
        self._source = JobSource(redis, self._leases, self.queues, cap, low_share)
        self._taken = 0
        self._rq_turn = threading.Lock()
        self._slot_freed = asyncio.Event()
        self._stop_asked = asyncio.Event()
        self._heartbeat = Heartbeat(
            redis,
            self._leases,
            self._name_claim,
            self.queues,
            self._running,
            concurrency,
            self._stop_asked,
            every=beat,
            sure=self._sure,
        )

    # -- the worker's life --------------------------------------------------------------------------------------

    def work(self, *_args: Any, **_kwargs: Any) -> bool:
        """Work until SIGTERM or SIGINT; return whether any job was taken. RQ's options have no meaning here."""
        return asyncio.run(self.main())

    async def main(self) -> bool:
        """Register, take back what a dead predecessor of this name held, and serve the queues until told to stop.

        Raises:
            ConfigurationError: another worker of this name is alive.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_asked.set)
        watchdog = asyncio.create_task(self._heartbeat.ping_systemd())
        life = asyncio.create_task(self._live())
        stop = asyncio.create_task(self._stop_asked.wait())
        await asyncio.wait({stop, life}, return_when=asyncio.FIRST_COMPLETED)
        self._stop_asked.set()
        sd_notify.notify("STOPPING=1")
        life.cancel()
        await asyncio.wait({life})
        beats = asyncio.create_task(self._heartbeat.beat())
        try:
            await self._drain()
            if self._heartbeat.named:
                await self._say_farewell()
        except (*REDIS_AWAY, TimeoutError) as error:
            log.warning("no farewell to Redis (%s): what is still leased runs out", type(error).__name__)
        for task in (watchdog, beats):
            task.cancel()
        self._source.close()
        if not life.cancelled() and (broken := life.exception()):
            raise broken
        return bool(self._taken)

    async def _say_farewell(self) -> None:
        async with asyncio.timeout(STOP_WAIT):
            back = await self._leases.put_back_own(count_crash=False)
            if back:
                log.info("handed %d jobs back", len(back))
            await self._rq(self.teardown)
            self._heartbeat.named = False  # nor renewed any more
            await self._name_claim.release()

    async def _live(self) -> None:
        await self._retry_redis(self._name_claim.take)
        self._heartbeat.named = True
        await self._retry_redis(self._register)
        sd_notify.notify("READY=1")
        log.info("%s serves %s", self.name, ", ".join(self.queue_names()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._heartbeat.beat())
            group.create_task(self._heartbeat.keep_records(self._tell))
            group.create_task(self._serve())
            for chore in self._chores:
                group.create_task(chore())

    async def _register(self) -> None:
        back = await self._leases.put_back_own(count_crash=True)
        if back:
            log.warning("took back %d jobs that this worker's last process left behind", len(back))
        await self._rq(self.register)

    async def _drain(self) -> None:
        """Let jobs that are about to end do so; hand the others back, those being submitted once fal has answered."""
        tasks = {running.task for running in self._running.values() if running.task}
        if not tasks:
            return
        log.info("stopping: %d jobs have %g s to end, then go back", len(tasks), self._shutdown_grace)
        await asyncio.wait(tasks, timeout=self._shutdown_grace)
        cut_short = list(self._running.values())
        for running in cut_short:
            running.cancel(Ending.HAND_BACK)
        _, submitting = await asyncio.wait(tasks, timeout=STOP_WAIT)
        if submitting:
            back = [running.claim for running in cut_short if running.task not in submitting]
            with contextlib.suppress(*REDIS_AWAY, TimeoutError):
                async with asyncio.timeout(STOP_WAIT):
                    await self._leases.put_back(back)
            log.info("handed %d jobs back; %d are being submitted", len(back), len(submitting))
            await asyncio.wait(submitting, timeout=SUBMIT_STOP_WAIT)

    async def _tell(self, state: WorkerStatus, everything: bool) -> None:
        await self._rq(partial(self.tell, state, everything=everything))

    async def _rq(self, call: Callable[[], None]) -> None:
        """Run RQ's blocking code in a thread, in turn."""

        def in_turn() -> None:
            with self._rq_turn:
                call()

        await in_thread(in_turn)

    async def _retry_redis(self, call: Callable[[], Awaitable[Any]]) -> Any:
        def waiting() -> None:
            self._leases.begin_watch_anew()
            if not self._stop_asked.is_set():
                sd_notify.notify("STATUS=waiting for Redis", "EXTEND_TIMEOUT_USEC=60000000")

        return await retry(call, waiting)

    # -- taking jobs ----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Fill free slots with jobs; wait for a job, a slot, or the end of a pause."""
        while True:
            self._slot_freed.clear()
            free = self._concurrency - len(self._running)
            if not free:
                await self._slot_freed.wait()
                continue
            asked_at, state, claims = await self._retry_redis(partial(self._source.claim, free))
            self._heartbeat.suspended = state == "suspended"
            for claim in claims:
                self._start(claim, asked_at + self._sure)
            if len(claims) == free:
                continue
            if state == "claimed":
                await self._retry_redis(self._source.wait_for_job)
            else:  # suspended, paused, or the cap is reached: a job may wait, so waiting for one would not wait
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FULL_WAIT if state == "full" else PAUSED_WAIT):
                        await self._slot_freed.wait()

    def _start(self, claim: Claim, ours_until: float) -> None:
        self._taken += 1
        queue = next(queue for queue in self.queues if queue.name == claim.queue)
        job = self.job_class(claim.job_id, connection=self.connection, serializer=self.serializer)
        execution = Execution(claim.execution_id, claim.job_id, self.connection, self.name)
        execution._job = job
        running = Running(
            claim, job, queue, execution, at_work=not self._crashes_at_work_only, stop_asked=self._stop_asked
        )
        running.ours_until = ours_until
        try:
            job.restore(claim.job_hash)
        except Exception as error:
            running.broken = error
        job.origin = claim.queue
        self._running[claim.execution_id] = running
        self.executions[claim.execution_id] = execution
        running.task = asyncio.create_task(self._run(running), name=f"job {claim.job_id}")
        running.task.add_done_callback(partial(self._ended, running))
        self._stop_if_told(claim.job_id)

    def _ended(self, running: Running, task: "asyncio.Task[None]") -> None:
        self._running.pop(running.claim.execution_id, None)
        self.executions.pop(running.claim.execution_id, None)
        self._slot_freed.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("job %s: its outcome could not be recorded", running.job.id, exc_info=error)

    # -- running a job --------------------------------------------------------------------------------------------

    async def _run(self, running: Running) -> None:
        """Run one job and let RQ record the outcome; a job that is handed back or lost has none."""
        job, failure, ends = running.job, None, True
        executions.current.set(running)
        try:
            value = await self._call(running)
            ends = not isinstance(value, Retry)
            finish = partial(self.record_success, running, value)
        except asyncio.CancelledError:
            if running.ending is not Ending.STOP:
                log.info("job %s: %s", job.id, running.ending)
                return
            finish = partial(self.record_stop, running)
        except JobPostponedError as error:
            log.info("job %s goes back to its queue: %s", job.id, error)
            running.ending = Ending.HAND_BACK
            await self._retry_redis(partial(self._leases.put_back, [running.claim]))
            return
        except LeaseLostError:
            log.info("job %s: %s", job.id, Ending.LOST)
            return
        except Exception as error:
            failure = error
            if isinstance(error, self._final):
                job.retries_left = None
            ends = not job.should_retry
            finish = partial(self.record_failure, running, sys.exc_info())
        running.ending = Ending.RECORDING  # neither a stop nor a drain may cut it short
        stay()
        with contextlib.suppress(LeaseLostError):
            await self._retry_redis(partial(self._record, running, failure, finish, ends=ends))

    async def _call(self, running: Running) -> Any:
        job, function = running.job, self.function_of(running)
        job.started_at = now()
        timeout = (job.timeout or self.queue_class.DEFAULT_TIMEOUT) if self._timed else -1
        try:
            async with asyncio.timeout(None if timeout < 0 else timeout) as limit:
                call = partial(function, *job.args, **job.kwargs)
                return await (call() if inspect.iscoroutinefunction(function) else in_thread(call))
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise JobTimeoutException(f"Task exceeded maximum timeout value ({timeout} seconds)") from error

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Let RQ log what nobody foresaw. A final failure is told in one line; its traceback stays with the job."""
        if not isinstance(exc_info[1], self._final):
            super().handle_exception(job, *exc_info)

    async def _record(
        self, running: Running, failure: Exception | None, finish: Callable[[], None], *, ends: bool
    ) -> None:
        """Let RQ record an outcome, if the job is still ours; where Redis has no room, drop a job that ``ends``."""
        if await self._leases.renew([running.claim]):
            log.warning("job %s ended after its lease was lost: its outcome is not recorded", running.job.id)
            return
        if failure and self._on_failure and not running.job.should_retry:
            try:
                await self._on_failure(running.job.id, failure)
            except (*REDIS_AWAY, LeaseLostError):
                raise
            except Exception:
                log.exception("job %s: its failure could not be told", running.job.id)
        try:
            await self._rq(finish)
        except OutOfMemoryError:
            if not ends:
                raise
            await self._leases.drop(running.claim)
            log.warning("job %s has ended; Redis has no room for RQ's record of that", running.job.id)
