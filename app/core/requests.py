"""A request for a picture, and its life in Redis.

One hash per request holds everything that must outlive a crash. It changes only through one script, which checks
the state it leaves and, for a worker, that the worker still holds the job's lease; the event that tells of the
change is appended by the same script. So a change and its event happen together, once, or not at all::

    queued -> submitting -> submitted -> stored -> done
     | ^ ^        |          |  |           |
     | | +--------+----------+  |           |          (fal did not take it; the model failed in passing)
     +------------+-------------+-----------+--> failed | cancelled
"""

import json
import time
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.errors import FailureReason, ImagebotError
from app.core.events import EventType
from app.core.operations import Operation

TERMINAL_TTL: Final = 7 * 24 * 3600
"""Seconds that the record of an ended request is kept."""

EVENTS_MAXLEN: Final = 100_000
"""About how many events the stream keeps."""


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


class LeaseLostError(ImagebotError):
    """The execution's lease is gone: another worker has the job, so this one must leave it alone."""


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What a person asked for. ``id`` is the RQ job's id too; ``inputs`` are keys in the media store."""

    id: str
    user_id: int
    chat_id: int
    locale: str
    operation: Operation
    prompt: str = ""
    inputs: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    created_at: float = field(default_factory=time.time)

    def to_json(self) -> str:
        """Serialise for Redis."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "ImageRequest":
        """Read what ``to_json`` wrote."""
        data = json.loads(text)
        return cls(**{**data, "operation": Operation(data["operation"]), "inputs": tuple(data["inputs"])})


@dataclass(frozen=True, slots=True)
class FalRequest:
    """A request accepted by fal: its id, the URLs that fal answered with, and when it was accepted (Unix s)."""

    request_id: str
    status_url: str
    response_url: str
    cancel_url: str
    endpoint: str
    submitted_at: float


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """Everything known of a request.

    ``media`` are keys of the stored results; ``submits`` counts the submits that fal took or may have taken since the
    request was last queued, the last of them begun at ``submitting_at`` (Unix s); ``model_failures`` counts requests
    that fal took and the model failed.
    """

    request: ImageRequest
    state: RequestState
    fal: FalRequest | None = None
    media: tuple[str, ...] = ()
    reason: FailureReason | None = None
    submits: int = 0
    submitting_at: float = 0.0
    model_failures: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job: ``execution`` (``job:execution``) in the lease set ``key``."""

    key: str
    execution: str


# KEYS: record, events, lease set. ARGV: execution ('' = no lease needed), new state, comma-separated states it may
# be entered from, time to live of the record (0 = keep), event's type ('' = none), stream length, pairs to set...
# A lease holds as long as it stands in its set, even past its end: whoever takes the job over removes it first.
_ADVANCE: Final = """
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'missing' end
if ARGV[1] ~= '' and not redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 'lease-lost' end
if not string.find(',' .. ARGV[3] .. ',', ',' .. state .. ',', 1, true) then return state end
local told = ARGV[5] == 'started' and redis.call('HEXISTS', KEYS[1], ARGV[2] .. '_at') == 1
redis.call('HSET', KEYS[1], 'state', ARGV[2], unpack(ARGV, 7))
if ARGV[4] ~= '0' then redis.call('EXPIRE', KEYS[1], ARGV[4]) end
if ARGV[5] ~= '' and not told then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'type', ARGV[5], 'request_id',
             redis.call('HGET', KEYS[1], 'id'))
end
return 'advanced'
"""


class RequestStore:
    """The requests' records in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._advance = redis.register_script(_ADVANCE)

    async def create(self, request: ImageRequest) -> bool:
        """Record a new request as queued; return False if it was recorded before."""
        key = redis_keys.request(request.id)
        async with self._redis.pipeline() as pipeline:
            pipeline.hsetnx(key, "state", RequestState.QUEUED)
            pipeline.hsetnx(key, "id", request.id)
            pipeline.hsetnx(key, "request", request.to_json())
            created, *_ = await pipeline.execute()
        return bool(created)

    async def load(self, request_id: str) -> RequestRecord | None:
        """Return what is known of a request, or None if nothing is."""
        data = cast(dict[str, str], await self._redis.hgetall(redis_keys.request(request_id)))
        if not data or "request" not in data:
            return None
        return RequestRecord(
            request=ImageRequest.from_json(data["request"]),
            state=RequestState(data["state"]),
            fal=FalRequest(**json.loads(data["fal"])) if data.get("fal") else None,
            media=tuple(json.loads(data.get("media", "[]"))),
            reason=FailureReason(data["reason"]) if data.get("reason") else None,
            submits=int(data.get("submits", 0)),
            submitting_at=float(data.get("submitting_at", 0)),
            model_failures=int(data.get("model_failures", 0)),
        )

    async def begin_submit(self, request_id: str, lease: Lease, submits: int) -> bool:
        """Note, before fal is asked, that it is about to be asked for the ``submits``-th time."""
        return await self._move(
            request_id, RequestState.SUBMITTING, lease=lease, submits=submits,
            entered_from=(RequestState.QUEUED, RequestState.SUBMITTING),
        )  # fmt: skip

    async def undo_submit(self, request_id: str, lease: Lease, submits: int) -> bool:
        """Note that fal surely did not take the last submit; ``submits`` is how many it may have taken before."""
        return await self._move(
            request_id, RequestState.QUEUED, lease=lease, entered_from=(RequestState.SUBMITTING,), submits=submits
        )

    async def model_failed(self, request_id: str, lease: Lease, failures: int) -> bool:
        """Note that the model failed in passing, for the ``failures``-th time: it may be submitted again."""
        return await self._move(
            request_id, RequestState.QUEUED, lease=lease, entered_from=(RequestState.SUBMITTED,),
            submits=0, fal="", model_failures=failures,
        )  # fmt: skip

    async def submitted(self, request_id: str, fal: FalRequest) -> bool:
        """Record what fal answered, and emit ``started``.

        Needs no lease: whoever holds fal's answer, even a worker that has lost the job, saves a paid request.
        """
        return await self._move(
            request_id, RequestState.SUBMITTED, entered_from=(RequestState.SUBMITTING,),
            event=EventType.STARTED, fal=json.dumps(asdict(fal)),
        )  # fmt: skip

    async def stored(self, request_id: str, lease: Lease, media: tuple[str, ...]) -> bool:
        """Record that the results lie in the media store under these keys."""
        return await self._move(
            request_id, RequestState.STORED, lease=lease, entered_from=(RequestState.SUBMITTED,),
            media=json.dumps(media),
        )  # fmt: skip

    async def done(self, request_id: str, lease: Lease) -> bool:
        """End the request well: emit ``done``."""
        return await self._move(
            request_id,
            RequestState.DONE,
            lease=lease,
            entered_from=(RequestState.STORED,),
            event=EventType.DONE,
        )

    async def fail(self, request_id: str, reason: FailureReason, lease: Lease | None = None) -> bool:
        """End the request with a reason: emit ``failed``. Does nothing to one that has ended."""
        return await self._move(
            request_id, RequestState.FAILED, lease=lease, entered_from=_OPEN,
            event=EventType.FAILED, reason=str(reason),
        )  # fmt: skip

    async def cancel(self, request_id: str) -> bool:
        """End the request as its owner wished: emit ``cancelled``. Does nothing to one that has ended."""
        return await self._move(request_id, RequestState.CANCELLED, entered_from=_OPEN, event=EventType.CANCELLED)

    async def _move(
        self,
        request_id: str,
        state: RequestState,
        *,
        entered_from: tuple[RequestState, ...],
        lease: Lease | None = None,
        event: EventType | None = None,
        **fields: str | int,
    ) -> bool:
        """Enter ``state`` if the present one allows it; return whether it did.

        Raises:
            LeaseLostError: the lease is not held.
        """
        answer = await self._advance(
            keys=[redis_keys.request(request_id), redis_keys.EVENTS, lease.key if lease else redis_keys.EVENTS],
            args=[
                lease.execution if lease else "", state, ",".join(entered_from),
                TERMINAL_TTL if state.is_terminal else 0, event or "", EVENTS_MAXLEN,
                *(part for pair in {**fields, f"{state}_at": time.time()}.items() for part in pair),
            ],
        )  # fmt: skip
        if answer == "lease-lost":
            raise LeaseLostError(f"request {request_id}: the lease of {lease and lease.execution} is lost")
        return bool(answer == "advanced")
