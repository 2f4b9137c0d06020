"""A request's way to fal: the submit, each step recorded first, and what becomes of one without an answer."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from obstore.exceptions import BaseError as ObjectStoreError
from redis.asyncio import Redis

from app.core import counters
from app.core.errors import FailureReason, RequestFailedError
from app.core.media import MediaStore, content_type_of
from app.core.operations import Operation
from app.core.pause import PauseKind, Pauses
from app.core.redis_retry import retry
from app.core.requests import FalRequest, ImageRequest, Lease, RequestRecord, RequestState, RequestStore
from app.worker import executions, models
from app.worker.executions import JobPostponedError
from app.worker.fal_answers import AccountError, SubmitOutcomeUnknownError
from app.worker.fal_listing import FalListing, ListingRefusedError
from app.worker.fal_queue import FalQueue
from app.worker.retry_policy import Deadline, RetryPolicy, TransientError

log = logging.getLogger(__name__)

T = TypeVar("T")

SUBMIT_ANSWER_WAIT: Final = 10.0
"""Seconds in which who began a submit may still record the answer, after another took the job over."""
LOOK_UP_EVERY: Final = 10.0
"""Seconds between two searches for a submit whose answer was lost."""
ABSENT_AFTER: Final = 180.0
"""Seconds of looking after which a submit that fal does not list was not taken: it may list a request only once it
has ended. By our own clock: what another process noted of the time may be wrong."""


@dataclass(slots=True)
class Submitter:
    """Hands requests in. ``request_deadline``: seconds that fal then has; ``submit_repeats`` as in the settings."""

    redis: Redis
    store: RequestStore
    media: MediaStore
    fal: FalQueue
    listing: FalListing
    upload: Callable[[bytes, str], Awaitable[str]]
    retry_policy: RetryPolicy
    pauses: Pauses
    endpoints: Mapping[Operation, str]
    request_deadline: float
    submit_repeats: int

    async def submit(self, record: RequestRecord, lease: Lease) -> None:
        """Hand a queued request in; what fal surely did not take is repeated, then the job goes back to its queue.

        Raises:
            JobPostponedError: fal takes nothing for now, or the worker stops.
            RequestFailedError: fal refused the request.
        """
        request, attempt = record.request, 0
        endpoint = self.endpoints[request.operation]
        try:
            payload = models.MODELS[endpoint].payload(request, await self._upload_inputs(request))
            while True:
                await self.retry_policy.throttle()
                try:
                    return await _to_its_end(self._submit_once(request.id, lease, record.submits, endpoint, payload))
                except AccountError:
                    raise
                except TransientError as error:
                    await self.retry_policy.back_off(error, attempt)
                attempt += 1
        except AccountError as error:
            await self._pause(PauseKind.ACCOUNT, error.said)
        except TransientError as error:
            await self._pause(PauseKind.PROVIDER_DOWN, str(error))
        raise JobPostponedError("fal takes nothing for now")

    async def resolve(self, record: RequestRecord, lease: Lease) -> None:
        """Find out what became of a submit of which no answer is known; leave it ``submitted``, or ``queued`` again.

        Raises:
            RequestFailedError: nobody can tell, and it may not be repeated.
        """
        request_id = record.request.id
        waited = Deadline(SUBMIT_ANSWER_WAIT)
        while not waited.passed:
            await asyncio.sleep(0.5)
            if await self._answered(request_id):
                return
        try:
            found = await self._looked_up(record)
        except (ListingRefusedError, TransientError) as error:
            await self._unknown(record, error)
            await self.store.undo_submit(request_id, lease, record.submits)
            return
        if found:
            log.info("request %s: fal took it as %s", request_id, found.request_id)
            await self._record_answer(request_id, found)
        elif not await self._answered(request_id):
            log.info("request %s: fal did not take submit %d", request_id, record.submits)
            await self.store.undo_submit(request_id, lease, record.submits - 1)

    # -- the submit -----------------------------------------------------------------------------------------------

    async def _submit_once(
        self, request_id: str, lease: Lease, submits: int, endpoint: str, payload: Mapping[str, Any]
    ) -> None:
        running = executions.current.get()
        if running.stopping:
            raise JobPostponedError("the worker stops")
        if not await self.store.begin_submit(request_id, lease, submits + 1, payload, self.request_deadline):
            return  # it has been cancelled
        undo = partial(self.store.undo_submit, request_id, lease, submits)

        def check() -> None:
            if running.stopping or not running.surely_ours:
                raise JobPostponedError("the worker stops, or stood still")

        try:
            check()
            fal_request = await self.fal.submit(endpoint, payload, about_to_send=check)
        except (TransientError, RequestFailedError, JobPostponedError):
            await undo()
            raise
        except SubmitOutcomeUnknownError as error:
            log.warning("request %s: submit %d: %s", request_id, submits + 1, error)
            return  # the record says what is known of it
        await self.store.own_fal_request(fal_request.request_id, request_id)
        if await self.pauses.end():
            log.warning("fal takes requests again")
        await self._record_answer(request_id, fal_request)

    async def _record_answer(self, request_id: str, fal_request: FalRequest) -> None:
        if await self.store.mark_submitted(request_id, fal_request):
            return
        record = await self.store.load(request_id)
        if record is None or record.fal != fal_request:  # cancelled meanwhile, or given up, or submitted by another
            log.warning("request %s: nobody waits for fal's request %s", request_id, fal_request.request_id)
            await cancel_at_fal(self.fal, self.retry_policy, fal_request)

    async def _pause(self, kind: PauseKind, reason: str) -> None:
        if await self.pauses.begin(kind, reason):
            log.error("fal takes nothing, no new jobs for now: %s: %s", kind, reason)

    async def _upload_inputs(self, request: ImageRequest) -> list[str]:
        urls = []
        for key in request.inputs:
            data = await self._input(key)
            content_type = content_type_of(key)
            urls.append(await self.retry_policy.call(partial(self.upload, data, content_type)))
        return urls

    async def _input(self, key: str) -> bytes:
        attempt = 0
        while True:
            try:
                return await self.media.get(key)
            except FileNotFoundError:
                raise RequestFailedError(FailureReason.INTERNAL, f"the input {key} is gone") from None
            except (OSError, ObjectStoreError) as error:
                log.warning("input %s: %s", key, type(error).__name__)
                await self.retry_policy.wait(error, attempt)
            attempt += 1

    # -- submits without an answer --------------------------------------------------------------------------------

    async def _answered(self, request_id: str) -> bool:
        record = await self.store.load(request_id)
        return record is None or record.state is not RequestState.SUBMITTING

    async def _looked_up(self, record: RequestRecord) -> FalRequest | None:
        """Find the request among those that fal has of us; None if it is not there.

        Raises:
            ListingRefusedError: fal does not show its list.
            TransientError: fal's list was not to be had until the request's deadline.
        """
        request, payload = record.request, record.payload
        if payload is None:
            raise ListingRefusedError("its input is not known")  # recorded by the release before
        deadline = Deadline(min(self.request_deadline, record.deadline - await self.store.now()))
        absent = Deadline(ABSENT_AFTER)
        since = record.submitting_at if record.submitting_at <= time.time() else request.created_at
        attempt = 0
        while True:
            last_look = absent.passed
            try:
                for found in await self.listing.find(self.endpoints[request.operation], payload, since):
                    if await self.store.own_fal_request(found.request_id, request.id):
                        return found
                if last_look:
                    return None
                await asyncio.sleep(LOOK_UP_EVERY)
                attempt = 0
            except TransientError as error:
                if deadline.passed:
                    raise
                await self._pause(PauseKind.PROVIDER_DOWN, str(error))
                await self.retry_policy.wait(error, attempt)
                attempt += 1
            if await self._answered(request.id):
                return None

    async def _unknown(self, record: RequestRecord, error: Exception) -> None:
        """Count a submit whose outcome nobody can find out; allow one more, or raise."""
        log.warning(
            "request %s: nobody knows whether submit %d reached fal: %s", record.request.id, record.submits, error
        )
        await retry(partial(counters.count, self.redis, counters.Counter.SUBMITS_UNKNOWN))
        if record.submits > self.submit_repeats:
            raise RequestFailedError(FailureReason.OUTCOME_UNKNOWN, f"after {record.submits} submits")


async def cancel_at_fal(fal: FalQueue, retry_policy: RetryPolicy, fal_request: FalRequest) -> None:
    """Tell fal to drop a request; if it does not hear, it draws for nothing."""
    try:
        await retry_policy.call(partial(fal.cancel, fal_request))
    except TransientError as error:
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
