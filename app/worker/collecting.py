"""From fal's acceptance to the stored pictures: all of it is paid for, so trouble on the way is waited out."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from obstore.exceptions import BaseError as ObjectStoreError
from redis.asyncio import Redis

from app.core.errors import FailureReason, ImagebotError, RequestFailedError
from app.core.media import MediaStore
from app.core.polling_config import PollingConfig
from app.core.requests import FalRequest, Lease, RequestRecord, RequestStore
from app.worker import executions, models
from app.worker.fal_answers import ModelFailedError
from app.worker.fal_queue import FalProgress, FalQueue
from app.worker.fal_shapes import FalStatus
from app.worker.latency import LatencyLog
from app.worker.retry_policy import Deadline, RetryPolicy, TransientError

log = logging.getLogger(__name__)

MODEL_RETRIES: Final = 2
"""Further requests to fal after one in which the model failed in passing: each takes a person's half minute."""


class RequestEndedError(ImagebotError):
    """The request has ended meanwhile: it was cancelled, say, and the command to stop was not heard."""


@dataclass(slots=True)
class Collector:
    """Waits for results and stores their pictures. ``request_deadline``: of a request whose record has none."""

    redis: Redis
    store: RequestStore
    media: MediaStore
    fal: FalQueue
    verify: Callable[[bytes], Awaitable[str]]
    retry_policy: RetryPolicy
    latency: LatencyLog
    polling: PollingConfig
    request_deadline: float
    random: Random
    _decoding: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One picture at a time is decoded: a large one takes hundreds of megabytes."""

    async def collect(self, record: RequestRecord, fal_request: FalRequest, lease: Lease) -> None:
        """Wait for a request's result and store its pictures; queue it again if the model failed in passing.

        Raises:
            RequestEndedError: nobody waits for it any more.
            RequestFailedError: fal's answer is final, or the request's deadline has passed.
        """
        request = record.request
        end = record.deadline or fal_request.submitted_at + self.request_deadline
        left = end - await self.store.now()
        deadline = Deadline(min(left, self.request_deadline))  # Redis' clock may have stepped
        progress = await self._completed(request.id, fal_request, deadline)
        try:
            answer = await self.retry_policy.call_until_final(lambda: self.fal.result(fal_request), deadline)
        except ModelFailedError as error:
            failures = record.model_failures + 1
            log.warning("request %s: %s", request.id, error)
            if failures > MODEL_RETRIES:
                raise RequestFailedError(FailureReason.PROVIDER_DOWN, str(error)) from error
            await self.retry_policy.wait(error, record.model_failures)
            await self.store.count_model_failure(request.id, lease, failures)
            return
        await self.latency.record(fal_request, progress.inference_time)
        media = await self._stored(request.id, models.result_urls(answer, request), deadline)
        log.info("request %s: %d pictures, %.1f s", request.id, len(media), time.time() - fal_request.submitted_at)
        await self.store.mark_stored(request.id, lease, media)

    async def _completed(self, request_id: str, fal_request: FalRequest, deadline: Deadline) -> FalProgress:
        """Poll a request until fal has completed it."""

        async def poll() -> FalProgress:
            record = await self.store.load(request_id)
            if record is None or record.state.is_terminal:
                raise RequestEndedError(request_id)
            return await self.fal.status(fal_request)

        async for wait in self.latency.waits(fal_request, self.polling, self.random):
            await asyncio.sleep(wait)
            progress = await self.retry_policy.call_until_final(poll, deadline)
            if progress.status is FalStatus.COMPLETED:
                return progress
            if deadline.passed:
                raise RequestFailedError(FailureReason.TIMED_OUT, f"fal: {progress.status}")
        raise AssertionError("unreachable: the waits do not end")

    async def _stored(self, request_id: str, urls: list[str], deadline: Deadline) -> tuple[str, ...]:
        """Fetch, check and store the pictures; return their keys in the media store."""
        keys = []
        day = time.strftime("%Y/%m/%d", time.gmtime())
        for number, url in enumerate(urls):
            data = await self.retry_policy.call_until_final(partial(self.fal.fetch, url), deadline, capped=False)
            suffix = await self.retry_policy.call_until_final(partial(self._verified, data), deadline, capped=False)
            key = f"results/{day}/{request_id}-{number}.{suffix}"
            await self.retry_policy.call_until_final(partial(self._put, key, data), deadline, capped=False)
            keys.append(key)
        return tuple(keys)

    async def _put(self, key: str, data: bytes) -> None:
        try:
            await self.media.put(key, data)
        except (OSError, ObjectStoreError) as error:
            raise TransientError(f"media store: {type(error).__name__}") from error

    async def _verified(self, data: bytes) -> str:
        """Decode what fal sent, in a process of its own. Its worker dying of it is held against the job."""
        running = executions.current.get()
        async with self._decoding:
            await running.set_at_work(self.redis, True)
            try:
                return await self.verify(data)
            finally:
                await running.set_at_work(self.redis, False)
