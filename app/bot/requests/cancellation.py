"""Cancelling what a person has queued or running: their own, and nobody else's."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum

from redis import Redis

from app.core import queues
from app.core.requests import RequestState, RequestStore


class Cancelled(StrEnum):
    """What became of the wish; each has a text, named by its value."""

    DONE = "cancel-done"
    TOO_LATE = "cancel-too-late"
    """It had ended before."""
    NOT_THEIRS = "result-stale"
    """Nothing is known of it, or it is another's."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Cancels requests. The person hears of the end of one from the event that it causes (``delivery.py``)."""

    requests: RequestStore
    rq: Redis

    async def __call__(self, request_id: str, user_id: int, *, quietly: bool = False) -> Cancelled:
        """Cancel a person's request; ``quietly``: whoever wants it tells them."""
        record = await self.requests.load(request_id)
        if record is None or record.request.user_id != user_id:
            return Cancelled.NOT_THEIRS
        cancelled = await self.requests.cancel(request_id, quietly=quietly)
        if not cancelled and record.state is not RequestState.CANCELLED:
            return Cancelled.TOO_LATE
        # Also if it was cancelled before: whoever did that may have died before it came to this.
        await asyncio.to_thread(queues.stop, self.rq, request_id)
        return Cancelled.DONE

    async def all(self, user_id: int) -> int:
        """Cancel whatever the person has queued or running, without a word; return how many requests that were."""
        records = await self.requests.open_of(user_id)
        outcomes = [await self(record.request.id, user_id, quietly=True) for record in records]
        return outcomes.count(Cancelled.DONE)
