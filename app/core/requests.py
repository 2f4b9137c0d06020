"""A request for a picture, and its life in Redis.

One hash per request holds everything that must outlive a crash. It begins in ``app/bot/requests/admission.py``, and
only one script changes it, which checks the state it leaves and, for a worker, that the worker still holds the job's
lease; the event that tells of the change is appended by the same script. So a change and its event happen together,
once, or not at all::

    queued -> submitting -> submitted -> stored -> done
     | ^ ^        |          |  |           |
     | | +--------+----------+  |           |          (fal did not take it; the model failed in passing)
     +------------+-------------+-----------+--> failed | cancelled
"""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, cast

from redis.asyncio import Redis

from app.core import queues, redis_keys, request_scripts
from app.core.epoch import NO_EPOCH, Epoch
from app.core.errors import FailureReason, ImagebotError
from app.core.events import EventType
from app.core.operations import Operation
from app.core.redis_clients import write
from app.core.redis_retry import retried

log = logging.getLogger(__name__)


class RequestState(StrEnum):
    """Where a request stands. ``submitting`` means that fal may or may not have been asked."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    STORED = "stored"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will happen to the request."""
        return self in _TERMINAL


_TERMINAL: Final = frozenset({RequestState.DONE, RequestState.FAILED, RequestState.CANCELLED})
_OPEN: Final = tuple(state for state in RequestState if state not in _TERMINAL)


_USUAL_RANK, _LOWEST_RANK = (queues.QUEUES.index(queue) + 1 for queue in (queues.QUEUE, queues.QUEUE_LOW))

FAL_REQUEST_TTL: Final = 24 * 3600
"""Seconds for which it is known whose one of fal's requests is."""


class LeaseLostError(ImagebotError):
    """The execution's lease is gone: another worker has the job, so this one must leave it alone."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What a person asked for.

    ``id`` is the RQ job's id too; ``inputs`` are keys in the media store; ``cost``: micro-dollars that it may cost;
    ``cache_key``: under which its result may serve others ('' = it may not); ``batch``: the batch it belongs to.
    """

    id: str
    user_id: int
    chat_id: int
    locale: str
    operation: Operation
    prompt: str = ""
    inputs: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    created_at: float = field(default_factory=time.time)
    queue: str = queues.QUEUE
    cost: int = 0
    cache_key: str = ""
    batch: str = ""

    def to_json(self) -> str:
        """Serialise for Redis."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ImageRequest":
        """Read what ``to_json`` wrote, here or in a newer release: fields that are not known are left out."""
        data = json.loads(text)
        known = {name: value for name, value in data.items() if name in cls.__dataclass_fields__}
        return cls(**{**known, "operation": Operation(data["operation"]), "inputs": tuple(data["inputs"])})


@dataclass(frozen=True, slots=True)
class FalRequest:
    """A request accepted by fal: its id, the URLs that fal answered with, and when it was accepted (Unix s)."""

    request_id: str
    status_url: str
    response_url: str
    cancel_url: str
    endpoint: str
    submitted_at: float

    @classmethod
    def from_json(cls, text: str) -> "FalRequest":
        """Read what a release wrote; fields that are not known are left out."""
        return cls(**{name: value for name, value in json.loads(text).items() if name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Everything known of a request.

    ``media`` are keys of the stored results, ``file_ids`` Telegram's names for them once they have been sent;
    ``joined_to`` is the request that makes the result for this one too, if another does. ``submits`` counts the
    submits that fal took or may have taken since the request was last queued, the last of them begun at
    ``submitting_at`` (Unix s) with ``payload``; ``model_failures`` counts requests that fal took and the model
    failed.
    ``deadline`` (Unix s by Redis' clock): when what fal has, or may have, is given up.
    """

    request: ImageRequest
    state: RequestState
    fal: FalRequest | None = None
    media: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    joined_to: str = ""
    started_at: float | None = None
    """When fal took it (Unix s)."""
    reason: FailureReason | None = None
    submits: int = 0
    submitting_at: float = 0.0
    model_failures: int = 0
    deadline: float = 0.0
    payload: dict[str, Any] | None = None
    known: bool = False
    """Its result was known when it was asked for."""
    quietly: bool = False
    """Its person hears of its cancellation otherwise."""
    readable: bool = True
    """False: only whose it is, and where it stands, could be read."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """The record as Redis holds it."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job: ``execution`` (``job:execution``) in the lease set ``key``."""

    key: str
    execution: str


class RequestStore:
    """The requests' records in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch = NO_EPOCH, *, retries: bool = False) -> None:
        """``retries``: what a worker does is repeated until Redis answers."""
        self._redis = redis
        self.retries = retries
        self._advance = epoch.guard(redis, request_scripts.ADVANCE)
        self._sent, self._told = (
            redis.register_script(request_scripts.SENT),
            redis.register_script(request_scripts.TOLD),
        )

    @retried
    async def load(self, request_id: str) -> RequestRecord | None:
        """Return what is known of a request, or None if nothing is."""
        return _read(cast(dict[str, str], await self._redis.hgetall(redis_keys.request(request_id))))

    async def latest_for(self, cache_key: str) -> RequestRecord | None:
        """Return the request whose result serves all who ask for the same until the cache has it, if there is one."""
        leader = await self._redis.get(redis_keys.in_flight(cache_key))
        record = await self.load(str(leader)) if leader else None
        return record if record and record.state is RequestState.DONE else None

    async def open_of(self, user_id: int) -> list[RequestRecord]:
        """Return a person's requests that have not ended, oldest first, those of a batch last."""
        ids: list[Any] = []
        for key in (redis_keys.open_requests(user_id), redis_keys.open_batch(user_id)):
            ids += await self._redis.zrange(key, 0, -1)
        return await self._load_all(ids)

    async def history(self, user_id: int, offset: int, count: int) -> list[RequestRecord]:
        """Return some of a person's last results, newest first."""
        ids: list[Any] = await self._redis.zrevrange(redis_keys.history(user_id), offset, offset + count - 1)
        return await self._load_all(ids)

    async def pictures_of(self, request_ids: list[str]) -> set[str]:
        """Return the media keys of all that some requests were given, and of what was made for them."""
        keys: set[str] = set()
        for record in await self._load_all(request_ids):
            keys.update(record.request.inputs, record.media)
        return keys

    async def asked_for(self, request_ids: Sequence[str]) -> list[str | None]:
        """Return what people asked for, as JSON that a newer release may have written; None for what is not known."""
        return await self._fields(request_ids, "request")

    async def reasons(self, request_ids: Sequence[str]) -> list[str]:
        """Return why requests failed."""
        return [reason or FailureReason.INTERNAL for reason in await self._fields(request_ids, "reason")]

    async def bury(self, request_id: str) -> None:
        """Leave a mark where a lost record was: an update that is handled again must not begin the request anew."""
        key = redis_keys.request(request_id)
        if await self._redis.hsetnx(key, "state", RequestState.FAILED):
            await self._redis.hset(key, "id", request_id)
            await self._redis.expire(key, request_scripts.ENDED_TTL)

    async def _fields(self, request_ids: Sequence[str], name: str) -> list[str | None]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for request_id in request_ids:
                pipeline.hget(redis_keys.request(request_id), name)
            return cast(list[str | None], await pipeline.execute())

    async def _load_all(self, ids: list[str]) -> list[RequestRecord]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for request_id in ids:
                pipeline.hgetall(redis_keys.request(request_id))
            return [record for data in await pipeline.execute() if (record := _read(data))]

    async def mark_queued(self, request_id: str) -> None:
        """Note that a request's job is in its queue: should it vanish from there, no death of a bot explains it."""
        await cast(Any, self._redis.hdel(redis_keys.request(request_id), "unqueued"))

    async def mark_sent(self, request_id: str, file_ids: tuple[str, ...]) -> None:
        """Remember Telegram's names for a result's pictures."""
        await self._sent(keys=[redis_keys.request(request_id)], args=[json.dumps(file_ids)])

    async def mark_notified(self, request_id: str) -> None:
        """Note that its person knows how a request ended: its record need not wait for that any more."""
        await self._told(keys=request_scripts.KEYS, args=[request_scripts.KEEP, request_id])

    @retried
    async def now(self) -> float:
        """Return the time by Redis' clock (Unix s), which is everybody's."""
        seconds, microseconds = await self._redis.time()
        return int(seconds) + int(microseconds) / 1e6

    @retried
    async def begin_submit(
        self,
        request_id: str,
        lease: Lease,
        submits: int,
        payload: Mapping[str, Any] | None = None,
        deadline_in: float = 1800.0,
    ) -> bool:
        """Note, before fal is asked, that it is about to be asked, for the ``submits``-th time, for ``payload``.

        ``deadline_in``: seconds from now to the request's deadline.
        """
        return await self._move(
            request_id, RequestState.SUBMITTING, lease=lease, submits=submits,
            entered_from=(RequestState.QUEUED, RequestState.SUBMITTING),
            payload=json.dumps(payload, ensure_ascii=False) if payload is not None else "",
            deadline=await self.now() + deadline_in,
        )  # fmt: skip

    @retried
    async def own_fal_request(self, fal_request_id: str, request_id: str) -> bool:
        """Note which request of ours one of fal's belongs to; return False if it belongs to another."""
        key = redis_keys.fal_request(fal_request_id)
        await write(self._redis, "SET", key, request_id, "NX", "EX", FAL_REQUEST_TTL)
        return bool(await self._redis.get(key) == request_id)

    @retried
    async def undo_submit(self, request_id: str, lease: Lease, submits: int) -> bool:
        """Note that fal surely did not take the last submit; ``submits`` is how many it may have taken before."""
        return await self._move(
            request_id, RequestState.QUEUED, lease=lease, entered_from=(RequestState.SUBMITTING,), submits=submits
        )

    @retried
    async def count_model_failure(self, request_id: str, lease: Lease, failures: int) -> bool:
        """Note that the model failed in passing, for the ``failures``-th time: it may be submitted again."""
        return await self._move(
            request_id, RequestState.QUEUED, lease=lease, entered_from=(RequestState.SUBMITTED,),
            submits=0, fal="", model_failures=failures,
        )  # fmt: skip

    @retried
    async def mark_submitted(self, request_id: str, fal: FalRequest) -> bool:
        """Record what fal answered, and emit ``started``.

        Needs no lease: whoever holds fal's answer, even a worker that has lost the job, saves a paid request.
        """
        return await self._move(
            request_id, RequestState.SUBMITTED, entered_from=(RequestState.SUBMITTING,),
            event=EventType.STARTED, fal=json.dumps(asdict(fal)),
        )  # fmt: skip

    @retried
    async def mark_stored(self, request_id: str, lease: Lease, media: tuple[str, ...]) -> bool:
        """Record that the results lie in the media store under these keys."""
        return await self._move(
            request_id, RequestState.STORED, lease=lease, entered_from=(RequestState.SUBMITTED,),
            media=json.dumps(media),
        )  # fmt: skip

    @retried
    async def mark_done(self, request_id: str, lease: Lease) -> bool:
        """End the request well: emit ``done``."""
        return await self._move(
            request_id,
            RequestState.DONE,
            lease=lease,
            entered_from=(RequestState.STORED,),
            event=EventType.DONE,
        )

    @retried
    async def fail(self, request_id: str, reason: FailureReason, lease: Lease | None = None) -> bool:
        """End the request with a reason: emit ``failed``. Does nothing to one that has ended."""
        return await self._move(
            request_id, RequestState.FAILED, lease=lease, entered_from=_OPEN,
            event=EventType.FAILED, reason=str(reason),
        )  # fmt: skip

    @retried
    async def cancel(self, request_id: str, *, quietly: bool = False) -> bool:
        """End the request as its owner wished: emit ``cancelled``. Does nothing to one that has ended.

        ``quietly``: its owner hears of it otherwise.
        """
        return await self._move(
            request_id, RequestState.CANCELLED, entered_from=_OPEN, event=EventType.CANCELLED,
            quietly=int(quietly),
        )  # fmt: skip

    async def _move(
        self,
        request_id: str,
        state: RequestState,
        *,
        entered_from: tuple[RequestState, ...],
        lease: Lease | None = None,
        event: EventType | None = None,
        **fields: str | float,
    ) -> bool:
        """Enter ``state`` if the present one allows it; return whether it did.

        Raises:
            LeaseLostError: the lease is not held.
        """
        answer = await self._advance(
            keys=[
                *request_scripts.KEYS, redis_keys.request(request_id), redis_keys.rq_job(request_id),
                *([lease.key] if lease else []),
            ],
            args=[
                request_scripts.KEEP, lease.execution if lease else "", state, ",".join(entered_from), event or "",
                time.time(), _USUAL_RANK, _LOWEST_RANK,
                *(part for pair in fields.items() for part in pair),
            ],
        )  # fmt: skip
        if answer == "lease-lost":
            raise LeaseLostError(f"request {request_id}: the lease of {lease and lease.execution} is lost")
        return bool(answer == "advanced")


def _reason(text: str) -> FailureReason | None:
    """Return the reason; one that only a newer release knows is told as ``internal``."""
    if not text:
        return None
    return FailureReason(text) if text in set(FailureReason) else FailureReason.INTERNAL


def _read(data: dict[str, str]) -> RequestRecord | None:
    """Return what a record's hash says, or None if not even whose it is can be read."""
    if not {"request", "user"} & data.keys():
        return None
    try:
        return _whole(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("request %s: its record can't be read: %s", data.get("id"), type(error).__name__)
    try:
        user = int(data["user"])  # in a private chat it is the chat too
        remains = ImageRequest(data["id"], user, user, "", Operation.CREATE)
        return RequestRecord(remains, RequestState(data["state"]), reason=FailureReason.INTERNAL, readable=False)
    except (ValueError, KeyError):
        return None


def _whole(data: dict[str, str]) -> RequestRecord:
    return RequestRecord(
        request=ImageRequest.from_json(data["request"]),
        state=RequestState(data["state"]),
        fal=FalRequest.from_json(data["fal"]) if data.get("fal") else None,
        media=tuple(json.loads(data.get("media", "[]"))),
        file_ids=tuple(json.loads(data.get("file_ids", "[]"))),
        joined_to=data.get("joined_to", ""),
        started_at=float(data["submitted_at"]) if "submitted_at" in data else None,
        reason=_reason(data.get("reason", "")),
        submits=int(data.get("submits", 0)),
        submitting_at=float(data.get("submitting_at", 0)),
        model_failures=int(data.get("model_failures", 0)),
        deadline=float(data.get("deadline", 0)),
        payload=json.loads(data["payload"]) if data.get("payload") else None,
        known="known" in data,
        quietly=data.get("quietly") == "1",
        fields=data,
    )
