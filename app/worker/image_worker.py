"""The job: make one picture, from wherever the last worker left off.

Every step is recorded before the next one begins (``app/core/requests.py``), so whoever runs the job next goes on
with the request that fal already has, and with the picture that is already stored.
"""

import asyncio
import logging
import mimetypes
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.core import redis_keys
from app.core.errors import FailureReason, RequestFailedError
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.polling_config import PollingConfig
from app.core.requests import FalRequest, ImageRequest, Lease, RequestRecord, RequestState, RequestStore
from app.worker import executions, models, pictures
from app.worker.fal_queue import FalQueue, FalStatus, SubmitOutcomeUnknownError, TransientFalError
from app.worker.latency import LatencyLog
from app.worker.request_cap import RequestCap

log = logging.getLogger(__name__)

T = TypeVar("T")

SUBMIT_ANSWER_WAIT: Final = 10.0
"""Seconds to wait for another process to record the answer to its submit, before the outcome counts as unknown."""
PAUSE: Final = 60
"""Seconds without new jobs after fal said that the account is out of money."""
BACKOFF_FIRST: Final = 1.0
"""Seconds before the first repetition of a call that failed in passing; doubled for each further one."""
BACKOFF_MAX: Final = 30.0
_REFUSALS: Final = frozenset({FailureReason.POLICY, FailureReason.BAD_INPUT})
"""Reasons that are the request's own: such a job has done its work."""
_REDIS_AWAY: Final = (RedisConnectionError, RedisTimeoutError)


@dataclass(slots=True)
class ImageWorker:
    """Makes pictures with one process' shared clients. Settings as in ``WorkerSettings``; times in seconds."""

    redis: Redis
    store: RequestStore
    media: MediaStore
    fal: FalQueue
    upload: Callable[[bytes, str], Awaitable[str]]
    cap: RequestCap
    latency: LatencyLog
    endpoints: Mapping[Operation, str]
    polling: PollingConfig
    submit_repeats: int
    retries: int
    random: Random

    async def make_image(self, request_id: str) -> dict[str, Any]:
        """Bring a request to its end; return what became of it, for RQ's result.

        Raises:
            RequestFailedError: it failed through no fault of the person's (RQ then lists the job as failed).
        """
        lease = executions.current.get().lease
        record = await self._persist(partial(self.store.load, request_id))
        if record is None:
            raise RequestFailedError(FailureReason.INTERNAL, "the request's record is gone")
        try:
            if not record.state.is_terminal:
                await self._go_on(record, lease)
        except RequestFailedError as failure:
            await self._fail(request_id, failure, lease)
            if failure.reason not in _REFUSALS:
                raise
            return {"failed": str(failure.reason)}
        except asyncio.CancelledError as cancelled:
            if cancelled.args[:1] == (executions.STOP,):
                await self._cancel(request_id)
            raise
        return {"done": True}

    async def fail(self, job_id: str, error: Exception) -> None:
        """End the request of a job that its worker gave up (timed out, forbidden, deadly)."""
        timed_out = type(error).__name__ == "JobTimeoutException"
        reason = FailureReason.TIMED_OUT if timed_out else FailureReason.INTERNAL
        await self._cancel_at_fal(job_id)
        if await self.store.fail(job_id, reason):
            log.error("request %s failed: %s: %s", job_id, reason, error)

    async def _go_on(self, record: RequestRecord, lease: Lease) -> None:
        request, state = record.request, record.state
        if state in {RequestState.QUEUED, RequestState.SUBMITTING}:
            fal_request = await self._submitted(record, lease)
            if fal_request is None:
                return  # it was cancelled
            state = RequestState.SUBMITTED
        elif record.fal is None:
            raise RequestFailedError(FailureReason.INTERNAL, f"{state} without fal's request")
        else:
            fal_request = record.fal
            log.info("request %s: going on with fal's request %s", request.id, fal_request.request_id)
        if state is RequestState.SUBMITTED:
            media = await self._result(request, fal_request)
            await self._persist(lambda: self.store.stored(request.id, lease, media))
        await self._persist(lambda: self.store.done(request.id, lease))

    # -- submit -------------------------------------------------------------------------------------------------

    async def _submitted(self, record: RequestRecord, lease: Lease) -> FalRequest | None:
        """Return fal's request: submitted now, or by a process that died or was stopped before it could tell."""
        request, submits = record.request, record.submits
        if record.state is RequestState.SUBMITTING:
            late = await self._late_answer(request.id)
            if late is not None:
                return late.fal
            self._unknown(request.id, submits)
        endpoint = self.endpoints[request.operation]
        payload = models.MODELS[endpoint].payload(request, await self._upload_inputs(request))
        for attempt in range(self.retries + 1):
            submits += 1
            if not await self._persist(partial(self.store.begin_submit, request.id, lease, submits)):
                return None
            try:
                return await _to_its_end(self._submit_once(request.id, endpoint, payload))
            except TransientFalError as error:
                submits -= 1
                await self._persist(lambda: self.store.undo_submit(request.id, lease))
                await self._back_off(error, attempt)
            except SubmitOutcomeUnknownError as error:
                log.warning("request %s: %s", request.id, error)
                self._unknown(request.id, submits)
        raise AssertionError("unreachable: the last attempt raises")

    async def _submit_once(self, request_id: str, endpoint: str, payload: Mapping[str, Any]) -> FalRequest:
        await self.cap.wait()
        fal_request = await self.fal.submit(endpoint, payload)
        await self._persist(lambda: self.store.submitted(request_id, fal_request))
        return fal_request

    async def _late_answer(self, request_id: str) -> RequestRecord | None:
        """Wait for the answer to a submit that another process sent; return None if it stays away."""
        until = time.monotonic() + SUBMIT_ANSWER_WAIT
        while time.monotonic() < until:
            record = await self._persist(partial(self.store.load, request_id))
            if record is None or record.state is not RequestState.SUBMITTING:
                return record
            await asyncio.sleep(0.5)
        return None

    def _unknown(self, request_id: str, submits: int) -> None:
        """Allow one more submit after one whose outcome is unknown, or raise."""
        log.warning("request %s: nobody knows whether submit %d reached fal", request_id, submits)
        if submits > self.submit_repeats:
            raise RequestFailedError(FailureReason.OUTCOME_UNKNOWN, f"after {submits} submits")

    async def _upload_inputs(self, request: ImageRequest) -> list[str]:
        urls = []
        for key in request.inputs:
            data = await self.media.get(key)
            urls.append(await self.upload(data, mimetypes.guess_type(key)[0] or "application/octet-stream"))
        return urls

    # -- result -------------------------------------------------------------------------------------------------

    async def _result(self, request: ImageRequest, fal_request: FalRequest) -> tuple[str, ...]:
        """Wait for a request's result and store its pictures; return their keys."""
        running = executions.current.get()
        await self._persist(partial(running.set_waiting, self.redis, True))
        async for wait in self.latency.waits(fal_request, self.polling, self.random):
            await asyncio.sleep(wait)
            progress = await self._call(lambda: self.fal.status(fal_request))
            if progress.status is FalStatus.COMPLETED:
                break
        answer = await self._call(lambda: self.fal.result(fal_request))
        await self._persist(lambda: self.latency.record(fal_request, progress.inference_time))
        await self._persist(partial(running.set_waiting, self.redis, False))
        keys = []
        for number, url in enumerate(models.result_urls(answer)):
            data = await self._call(partial(self.fal.fetch, url))
            picture = await asyncio.to_thread(pictures.verify, data)
            key = f"results/{time.strftime('%Y/%m/%d', time.gmtime())}/{request.id}-{number}.{picture.suffix}"
            await self.media.put(key, picture.data)
            keys.append(key)
        took = time.time() - fal_request.submitted_at
        log.info("request %s: %d pictures, %.1f s after its submit", request.id, len(keys), took)
        return tuple(keys)

    # -- endings ------------------------------------------------------------------------------------------------

    async def _fail(self, request_id: str, failure: RequestFailedError, lease: Lease) -> None:
        if failure.reason is FailureReason.OUT_OF_MONEY:
            await self._persist(lambda: self.redis.set(redis_keys.PAUSED, str(failure.reason), ex=PAUSE))
            log.error("fal: the account is out of money: no new jobs for %d s", PAUSE)
        if await self._persist(lambda: self.store.fail(request_id, failure.reason, lease)):
            log.warning("request %s failed: %s", request_id, failure)

    async def _cancel(self, request_id: str) -> None:
        await self._cancel_at_fal(request_id)
        await self._persist(lambda: self.store.cancel(request_id))

    async def _cancel_at_fal(self, request_id: str) -> None:
        """Tell fal to drop what it has of a request; if it does not hear, it draws for nothing."""
        record = await self.store.load(request_id)
        if record and record.fal and record.state is RequestState.SUBMITTED:
            try:
                await self.fal.cancel(record.fal)
            except TransientFalError as error:
                log.warning("request %s: %s", request_id, error)

    # -- calls that may fail in passing -------------------------------------------------------------------------

    async def _call(self, call: Callable[[], Awaitable[T]]) -> T:
        """Send a request to fal under the cap; repeat it, with backoff, while it fails in passing."""
        for attempt in range(self.retries + 1):
            await self.cap.wait()
            try:
                return await call()
            except TransientFalError as error:
                await self._back_off(error, attempt)
        raise AssertionError("unreachable: the last attempt raises")

    async def _back_off(self, error: TransientFalError, attempt: int) -> None:
        """Wait before the next attempt, or raise if this was the last."""
        if attempt >= self.retries:
            raise RequestFailedError(FailureReason.PROVIDER_DOWN, str(error)) from error
        wait = min(BACKOFF_MAX, error.retry_after or BACKOFF_FIRST * 2**attempt)
        await asyncio.sleep(wait * (1 + self.random.random() / 4))

    @staticmethod
    async def _persist(call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call to Redis until it answers: what is known must be recorded."""
        delay = 0.1
        while True:
            try:
                return await call()
            except _REDIS_AWAY:
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await work that a cancellation must not cut short, since its answer is worth money; then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
