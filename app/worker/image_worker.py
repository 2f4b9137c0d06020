"""The job: make one picture, from wherever the last worker left off.

Every step is recorded before the next one begins (``app/core/requests.py``), so whoever runs the job next goes on
with the request that fal already has, and with the picture that is already stored.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

from redis.exceptions import RedisError

from app.core.errors import FailureReason, RequestFailedError
from app.core.redis_clients import stay
from app.core.redis_retry import retry
from app.core.requests import Lease, RequestRecord, RequestState, RequestStore
from app.worker import executions
from app.worker.collecting import Collector, RequestEndedError
from app.worker.executions import Ending
from app.worker.fal_queue import FalQueue
from app.worker.retry_policy import RetryPolicy
from app.worker.submits import Submitter, cancel_at_fal
from app.worker.write_back import WriteBack

log = logging.getLogger(__name__)

_REFUSALS: Final = frozenset({FailureReason.POLICY, FailureReason.BAD_INPUT, FailureReason.NO_FACE})
"""Reasons that are the request's own: such a job has done its work."""


@dataclass(slots=True)
class ImageWorker:
    """Makes pictures with one process' shared clients."""

    store: RequestStore
    fal: FalQueue
    retry_policy: RetryPolicy
    submitter: Submitter
    collector: Collector
    write_back: WriteBack

    async def make_image(self, request_id: str) -> dict[str, str]:
        """Bring a request to its end; return its last state, for RQ's result.

        Raises:
            JobPostponedError: it can't go on now.
            RequestFailedError: it failed through no fault of the person's (RQ then lists the job as failed).
        """
        try:
            return await self._make_image(request_id, executions.current.get().lease)
        except asyncio.CancelledError:
            if executions.current.get().ending is Ending.LOST:
                stay()
                with contextlib.suppress(RedisError):
                    await self.write_back.write(request_id)
            raise
        finally:
            self.write_back.forget(request_id)

    async def _make_image(self, request_id: str, lease: Lease) -> dict[str, str]:
        try:
            record = await self._load(request_id)
            while not record.state.is_terminal:
                with contextlib.suppress(RequestEndedError):
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
        if record.state is RequestState.CANCELLED:
            await self._drop(record)
        return {"state": record.state}

    async def fail(self, job_id: str, error: Exception) -> None:
        """End the request of a job that broke, or that its worker gave up (forbidden, deadly)."""
        record = await self.store.load(job_id)
        if record and not record.state.is_terminal:
            await self._drop(record)
            if await self.store.fail(job_id, FailureReason.INTERNAL, executions.current.get().lease):
                log.error("request %s failed: %r", job_id, error)

    async def _load(self, request_id: str) -> RequestRecord:
        record = await self.store.load(request_id)
        if record is None and await retry(partial(self.write_back.write, request_id)):
            record = await self.store.load(request_id)
        if record is None:
            raise RequestFailedError(FailureReason.INTERNAL, "the request's record is gone")
        if not record.readable and not record.state.is_terminal:
            raise RequestFailedError(FailureReason.INTERNAL, "the request's record can't be read")
        self.write_back.hold(record)
        return record

    async def _go_on(self, record: RequestRecord, lease: Lease) -> None:
        """Take the step that follows a state."""
        if record.state is RequestState.QUEUED:
            await self.submitter.submit(record, lease)
        elif record.state is RequestState.SUBMITTING:
            await self.submitter.resolve(record, lease)
        elif record.state is RequestState.SUBMITTED and record.fal:
            await self.collector.collect(record, record.fal, lease)
            self.write_back.forget(record.request.id)  # the model may have failed: it is read anew
        elif record.state is RequestState.STORED:
            await self.store.mark_done(record.request.id, lease)
        else:
            raise RequestFailedError(FailureReason.INTERNAL, f"{record.state} without fal's request")

    async def _fail(self, request_id: str, failure: RequestFailedError, lease: Lease) -> None:
        record = await self.store.load(request_id)
        if not await self.store.fail(request_id, failure.reason, lease):
            return
        log.warning("request %s failed: %s", request_id, failure)
        if record and failure.reason not in _REFUSALS:
            await self._drop(record)

    async def _cancel(self, request_id: str) -> None:
        await self.store.cancel(request_id)
        await self._drop(await self._load(request_id))

    async def _drop(self, record: RequestRecord) -> None:
        """Tell fal that nobody waits for what it has of a request, if it has anything."""
        if record.fal and not record.media:
            await cancel_at_fal(self.fal, self.retry_policy, record.fal)
