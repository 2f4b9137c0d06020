"""The job: make one picture, from wherever the last worker left off.

Every step is recorded before the next one begins (``app/core/requests.py``), so whoever runs the job next goes on
with the request that fal already has, and with the picture that is already stored.
"""

import asyncio
import logging
import mimetypes
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from rq.timeouts import JobTimeoutException

from app.core import redis_keys
from app.core.errors import FailureReason, RequestFailedError
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.polling_config import PollingConfig
from app.core.redis_clients import stay, until_answered
from app.core.requests import FalRequest, ImageRequest, Lease, RequestRecord, RequestState, RequestStore
from app.worker import executions, models, pictures
from app.worker.executions import Ending
from app.worker.fal_queue import (
    FalProgress,
    FalQueue,
    FalStatus,
    ModelFailedError,
    SubmitOutcomeUnknownError,
    TransientFalError,
)
from app.worker.latency import LatencyLog
from app.worker.patience import Patience

log = logging.getLogger(__name__)

T = TypeVar("T")

SUBMIT_ANSWER_WAIT: Final = 10.0
"""Seconds after the beginning of a submit by another process in which it may still record the answer."""
MODEL_RETRIES: Final = 2
"""Further requests to fal after one in which the model failed in passing: each takes a person's half minute."""
PAUSE: Final = 60
"""Seconds without new jobs after fal said that the account is out of money."""
UNKNOWN_SUBMITS: Final = "submits_unknown"
"""Counter of submits of which nobody knows whether fal took them."""
_REFUSALS: Final = frozenset({FailureReason.POLICY, FailureReason.BAD_INPUT})
"""Reasons that are the request's own: such a job has done its work."""


@dataclass(slots=True)
class ImageWorker:
    """Makes pictures with one process' shared clients. Settings as in ``WorkerSettings``."""

    redis: Redis
    store: RequestStore
    media: MediaStore
    fal: FalQueue
    upload: Callable[[bytes, str], Awaitable[str]]
    patience: Patience
    latency: LatencyLog
    endpoints: Mapping[Operation, str]
    polling: PollingConfig
    submit_repeats: int
    random: Random
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One picture at a time is decoded: a large one takes hundreds of megabytes."""

    async def make_image(self, request_id: str) -> dict[str, str]:
        """Bring a request to its end; return its last state, for RQ's result.

        Raises:
            RequestFailedError: it failed through no fault of the person's (RQ then lists the job as failed).
        """
        lease = executions.current.get().lease
        try:
            record = await self._load(request_id)
            while not record.state.is_terminal:
                await self._go_on(record, lease)
                record = await self._load(request_id)
        except RequestFailedError as failure:
            await self._fail(request_id, failure, lease)
            if failure.reason not in _REFUSALS:
                raise
            return {"state": RequestState.FAILED, "reason": failure.reason}
        except asyncio.CancelledError:
            if executions.current.get().ending is Ending.STOP:
                stay()
                await self._cancel(request_id)
            raise
        return {"state": record.state}

    async def fail(self, job_id: str, error: Exception) -> None:
        """End the request of a job that broke, or that its worker gave up (timed out, forbidden, deadly)."""
        reason = FailureReason.TIMED_OUT if isinstance(error, JobTimeoutException) else FailureReason.INTERNAL
        record = await self.store.load(job_id)
        if record and not record.state.is_terminal:
            await self._cancel_at_fal(record.fal if not record.media else None)
            if await self.store.fail(job_id, reason, executions.current.get().lease):
                log.error("request %s failed: %s: %r", job_id, reason, error)

    async def _load(self, request_id: str) -> RequestRecord:
        record = await until_answered(partial(self.store.load, request_id))
        if record is None:
            raise RequestFailedError(FailureReason.INTERNAL, "the request's record is gone")
        return record

    async def _go_on(self, record: RequestRecord, lease: Lease) -> None:
        """Take the step that follows a state."""
        if record.state is RequestState.QUEUED:
            await self._submit(record, lease)
        elif record.state is RequestState.SUBMITTING:
            await self._resolve(record, lease)
        elif record.state is RequestState.SUBMITTED and record.fal:
            await self._collect(record, record.fal, lease)
        elif record.state is RequestState.STORED:
            await until_answered(lambda: self.store.done(record.request.id, lease))
        else:
            raise RequestFailedError(FailureReason.INTERNAL, f"{record.state} without fal's request")

    # -- submit -------------------------------------------------------------------------------------------------

    async def _submit(self, record: RequestRecord, lease: Lease) -> None:
        """Hand a request in; repeat what fal surely did not take."""
        request, submits, attempt = record.request, record.submits, 0
        endpoint = self.endpoints[request.operation]
        payload = models.MODELS[endpoint].payload(request, await self._upload_inputs(request))
        while True:
            await self.patience.turn()
            try:
                await _to_its_end(self._submit_once(request.id, lease, submits, endpoint, payload))
                return
            except TransientFalError as error:
                await self.patience.back_off(error, attempt)
            except SubmitOutcomeUnknownError as error:
                submits += 1
                await self._unknown(request.id, submits, str(error))
            attempt += 1

    async def _submit_once(
        self, request_id: str, lease: Lease, submits: int, endpoint: str, payload: Mapping[str, Any]
    ) -> None:
        if not await until_answered(lambda: self.store.begin_submit(request_id, lease, submits + 1)):
            return  # it has been cancelled
        try:
            fal_request = await self.fal.submit(endpoint, payload)
        except TransientFalError:
            await until_answered(lambda: self.store.undo_submit(request_id, lease, submits))
            raise
        if not await until_answered(lambda: self.store.submitted(request_id, fal_request)):
            record = await self._load(request_id)
            if record.fal != fal_request:  # cancelled meanwhile, or given up, or submitted by another
                log.warning("request %s: nobody waits for fal's request %s", request_id, fal_request.request_id)
                await self._cancel_at_fal(fal_request)

    async def _resolve(self, record: RequestRecord, lease: Lease) -> None:
        """Find out what became of a submit whose sender died, or was stopped, before it could tell."""
        request_id = record.request.id
        while time.time() < record.submitting_at + SUBMIT_ANSWER_WAIT:
            await asyncio.sleep(0.5)
            if (await self._load(request_id)).state is not RequestState.SUBMITTING:
                return
        await self._unknown(request_id, record.submits, "its sender is gone")
        await self._submit(record, lease)

    async def _unknown(self, request_id: str, submits: int, why: str) -> None:
        """Count a submit whose outcome is unknown; allow one more, or raise."""
        log.warning("request %s: nobody knows whether submit %d reached fal: %s", request_id, submits, why)
        await until_answered(partial(self.redis.hincrby, redis_keys.COUNTERS, UNKNOWN_SUBMITS, 1))
        if submits > self.submit_repeats:
            raise RequestFailedError(FailureReason.OUTCOME_UNKNOWN, f"after {submits} submits")

    async def _upload_inputs(self, request: ImageRequest) -> list[str]:
        urls = []
        for key in request.inputs:
            try:
                data = await self.media.get(key)
            except FileNotFoundError:
                raise RequestFailedError(FailureReason.INTERNAL, f"the input {key} is gone") from None
            content_type = mimetypes.guess_type(key)[0] or "application/octet-stream"
            urls.append(await self.patience.call(partial(self.upload, data, content_type)))
        return urls

    # -- result -------------------------------------------------------------------------------------------------

    async def _collect(self, record: RequestRecord, fal_request: FalRequest, lease: Lease) -> None:
        """Wait for a request's result and store its pictures; queue it again if the model failed in passing."""
        request = record.request
        progress = await self._completed(fal_request)
        try:
            answer = await self.patience.call(lambda: self.fal.result(fal_request))
        except ModelFailedError as error:
            failures = record.model_failures + 1
            log.warning("request %s: %s", request.id, error)
            await self.patience.back_off(error, record.model_failures, MODEL_RETRIES)
            await until_answered(lambda: self.store.model_failed(request.id, lease, failures))
            return
        await until_answered(lambda: self.latency.record(fal_request, progress.inference_time))
        media = await self._stored(request.id, models.result_urls(answer))
        log.info("request %s: %d pictures, %.1f s", request.id, len(media), time.time() - fal_request.submitted_at)
        await until_answered(lambda: self.store.stored(request.id, lease, media))

    async def _completed(self, fal_request: FalRequest) -> FalProgress:
        """Look at a request, now and then, until fal has completed it."""
        async for wait in self.latency.waits(fal_request, self.polling, self.random):
            await asyncio.sleep(wait)
            progress = await self.patience.call(lambda: self.fal.status(fal_request))
            if progress.status is FalStatus.COMPLETED:
                return progress
        raise AssertionError("unreachable: the waits do not end")

    async def _stored(self, request_id: str, urls: list[str]) -> tuple[str, ...]:
        """Fetch, check and store the pictures; return their keys in the media store."""
        keys = []
        day = time.strftime("%Y/%m/%d", time.gmtime())
        for number, url in enumerate(urls):
            data = await self.patience.call(partial(self.fal.fetch, url), capped=False)
            picture = await self._verified(data)
            key = f"results/{day}/{request_id}-{number}.{picture.suffix}"
            await self.media.put(key, picture.data)
            keys.append(key)
        return tuple(keys)

    async def _verified(self, data: bytes) -> pictures.Picture:
        """Decode what fal sent. Nothing else here could kill a worker, so only this is held against the job."""
        running = executions.current.get()
        async with self._decoding:
            await until_answered(partial(running.set_waiting, self.redis, False))
            picture = await asyncio.to_thread(pictures.verify, data)
            await until_answered(partial(running.set_waiting, self.redis, True))
        return picture

    # -- endings ------------------------------------------------------------------------------------------------

    async def _fail(self, request_id: str, failure: RequestFailedError, lease: Lease) -> None:
        if failure.reason is FailureReason.OUT_OF_MONEY:
            await until_answered(lambda: self.redis.set(redis_keys.PAUSED, str(failure.reason), ex=PAUSE))
            log.error("fal: the account is out of money: no new jobs for %d s", PAUSE)
        if await until_answered(lambda: self.store.fail(request_id, failure.reason, lease)):
            log.warning("request %s failed: %s", request_id, failure)

    async def _cancel(self, request_id: str) -> None:
        record = await self._load(request_id)
        await self._cancel_at_fal(record.fal if not record.media else None)
        await until_answered(lambda: self.store.cancel(request_id))

    async def _cancel_at_fal(self, fal_request: FalRequest | None) -> None:
        """Tell fal to drop what it has, if anything; if it does not hear, it draws for nothing."""
        if fal_request:
            try:
                await self.fal.cancel(fal_request)
            except TransientFalError as error:
                log.warning("fal's request %s: %s", fal_request.request_id, error)


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Await work that a cancellation must not cut short, since its answer is worth money; then be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: the record tells what became of it
        raise
