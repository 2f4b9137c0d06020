"""Who may begin what: bans, open requests of one person, full queues and the day's money, in one step in Redis."""

import json
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from redis.asyncio import Redis
from rq.queue import Queue

from app.bot.result_cache import Result
from app.core import queues, redis_keys, request_scripts
from app.core.epoch import NO_EPOCH, Epoch
from app.core.requests import ImageRequest

_ENDLESS: Final = 2**53


class Verdict(StrEnum):
    """What became of a request that asked to be admitted."""

    QUEUED = "queued"
    """It is recorded, and its job is to be put into its queue."""
    JOINED = "joined"
    """Another request is just making the same: its result will serve this one too."""
    DONE = "done"
    """The result was known: it is recorded, and told of, as done."""
    KNOWN = "known"
    """It has been admitted before."""
    BANNED = "banned"
    OPEN = "open"
    """The person has too many open requests."""
    FULL = "full"
    """Too many jobs wait."""
    SPEND = "spend"
    """The day's money for all people is spent."""
    USER_SPEND = "user-spend"
    """The day's money for this person is spent."""

    @property
    def is_refusal(self) -> bool:
        """Whether nothing was recorded."""
        return self in _REFUSALS


_REFUSALS: Final = frozenset({Verdict.BANNED, Verdict.OPEN, Verdict.FULL, Verdict.SPEND, Verdict.USER_SPEND})


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of everything: open requests of the person, jobs in the queue, micro-dollars a day (0 = no limit)."""

    open_requests: int = _ENDLESS
    queue: int = _ENDLESS
    spend: int = 0
    user_spend: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """The verdict; ``to_queue``: whether the job is (still) to be enqueued; ``ahead``: jobs before it."""

    verdict: Verdict
    to_queue: bool
    ahead: int = 0


class Admission:
    """Admits requests (the queue's Redis; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch = NO_EPOCH) -> None:
        self._admit = epoch.guard(redis, request_scripts.ADMIT)

    async def admit(
        self, request: ImageRequest, limits: Limits = Limits(), known: Result | None = None, gone: str = ""
    ) -> Admitted:
        """Record a request within limits; ``known``: its result, if there is one already.

        ``gone``: the request that has just made one whose pictures are no longer there.

        Does nothing for a request that was recorded before. A request of a batch counts as part of it, not as one of
        its person's open ones.

        Raises:
            redis.exceptions.OutOfMemoryError: Redis is full; nothing was recorded.
        """
        now = time.time()
        verdict, number = await self._admit(
            keys=[
                *request_scripts.KEYS, redis_keys.BANNED, Queue.redis_queue_namespace_prefix + request.queue,
            ],
            args=[
                request_scripts.KEEP, request.id, request.to_json(), request.user_id, request.cost,
                time.strftime("%Y-%m-%d", time.gmtime(now)), request.cache_key, request.batch, now,
                queues.QUEUES.index(request.queue) + 1,
                limits.open_requests, limits.queue, limits.spend, limits.user_spend,
                json.dumps(known.media) if known else "", json.dumps(known.file_ids) if known else "",
                gone,
            ]
        )  # fmt: skip
        verdict = Verdict(verdict)
        to_queue = verdict is Verdict.QUEUED or (verdict is Verdict.KNOWN and bool(number))
        return Admitted(verdict, to_queue, number if verdict is Verdict.QUEUED else 0)
