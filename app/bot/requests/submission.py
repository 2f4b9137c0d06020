"""Taking requests on: the one way for work to begin, whatever handler it comes from."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import obstore.exceptions
from aiogram import Bot
from aiogram.types import Message, Update
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from app.bot.delivery.batches import Batches
from app.bot.delivery.ledger import DeliveryLedger
from app.bot.requests.admission import Admission, Limits, Verdict
from app.bot.requests.allowance import Allowances, hours_and_minutes, seconds_to_next_day
from app.bot.requests.room import Room
from app.bot.result_cache import Result, ResultCache, cache_key
from app.bot.settings import BotSettings
from app.bot.texts import Translator
from app.bot.users.alerts import Alert, Alerts
from app.bot.users.users import Users
from app.core import counters, queues, redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS, MICRO, cost
from app.core.epoch import NO_EPOCH, Epoch
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.rate_limit import RateLimiter
from app.core.requests import ImageRequest, RequestStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """What a person wants. ``fresh``: a new result, even if one for the same wish is known."""

    operation: Operation
    prompt: str = ""
    inputs: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """Where a request comes from; ``message_id`` is the message that the answer replies to."""

    request_id: str
    user_id: int
    chat_id: int
    message_id: int

    @classmethod
    def of(cls, update: Update, message: Message, user_id: int | None = None) -> Self:
        """Return where to reply to an update; ``user_id`` if it is not the message's sender."""
        if user_id is None:
            user_id = message.from_user.id if message.from_user else message.chat.id
        return cls(f"u{update.update_id}", user_id, message.chat.id, message.message_id)


class StatusBoard(Protocol):
    """Shows people where their requests stand."""

    async def begin(self, request: ImageRequest, translate: Translator) -> None:
        """Show a request that has just been taken, unless it is shown already."""


@dataclass(frozen=True, slots=True)
class RequestSubmitter:
    """Takes requests on, and tells people how that went.

    Doing it again for the same request (its update was handled twice) changes nothing.
    """

    bot: Bot
    redis: AsyncRedis
    rq: Redis
    requests: RequestStore
    ledger: DeliveryLedger
    limiter: RateLimiter
    cache: ResultCache
    status_board: StatusBoard
    settings: BotSettings
    alerts: Alerts
    room: Room
    media: MediaStore
    epoch: Epoch = NO_EPOCH

    async def submit(self, spec: RequestSpec, target: ReplyTarget, translate: Translator) -> bool:
        """Submit a request, or say why not; return whether it was taken."""
        if await self.requests.load(target.request_id) is None:
            if await self._is_gone(spec.inputs):
                await self.bot.send_message(target.chat_id, translate("picture-gone"))
                return False
            if not await self._may_begin(target, translate):
                return False
        vip = await Users(self.redis).is_vip(target.user_id)
        request = self._request(spec, target, translate, queues.QUEUE_HIGH if vip else queues.QUEUE)
        verdict = await self._take(request, target, vip=vip)
        if verdict.is_refusal:
            await self._refuse(verdict, target, translate, vip=vip)
            return False
        if verdict is not Verdict.DONE:
            await self.status_board.begin(request, translate)
        return True

    async def submit_batch(self, specs: Sequence[RequestSpec], target: ReplyTarget, translate: Translator) -> int:
        """Take many requests at low priority, counted by their number in the rate limit; return how many were taken.

        Says why none was, or not all. Their requests' ids are the target's with ``-1``, ``-2`` ...
        """
        batches = Batches(self.redis)
        if not await batches.is_known(target.request_id):
            if await self.redis.zcard(redis_keys.open_batch(target.user_id)):
                await self.bot.send_message(target.chat_id, translate("batch-open"))
                return 0
            if not await self._may_begin(target, translate, len(specs)):
                return 0
        await batches.begin(target.request_id, len(specs), target.chat_id, translate.locale)
        taken = 0
        for number, spec in enumerate(specs, 1):
            single = ReplyTarget(f"{target.request_id}-{number}", target.user_id, target.chat_id, target.message_id)
            request = self._request(spec, single, translate, queues.QUEUE_LOW, batch=target.request_id)
            verdict = await self._take(request, single, vip=False)
            if verdict.is_refusal:  # it would be the same for all that follow
                await batches.shrink(target.request_id, taken)
                await self._refuse(verdict, target, translate, vip=False)
                break
            taken += 1
        return taken

    def _request(
        self, spec: RequestSpec, target: ReplyTarget, translate: Translator, queue: str, batch: str = ""
    ) -> ImageRequest:
        endpoint = self.settings.models.get(spec.operation, DEFAULT_ENDPOINTS[spec.operation])
        wish = (spec.operation, endpoint, spec.prompt, spec.inputs, spec.parameters)
        return ImageRequest(
            id=target.request_id,
            user_id=target.user_id,
            chat_id=target.chat_id,
            locale=translate.locale,
            operation=spec.operation,
            prompt=spec.prompt,
            inputs=spec.inputs,
            parameters=dict(spec.parameters),
            queue=queue,
            cost=cost(endpoint, spec.parameters, self.settings.prices),
            cache_key="" if spec.fresh else cache_key(*wish),
            batch=batch,
        )

    async def _take(self, request: ImageRequest, target: ReplyTarget, *, vip: bool) -> Verdict:
        known, gone = await self._known(request.cache_key) if request.cache_key else (None, "")
        settings = self.settings
        limits = Limits(
            open_requests=settings.open_requests_max_vip if vip else settings.open_requests_max,
            queue=settings.queue_max,
            spend=round(settings.spend_max_per_day * MICRO),
            user_spend=round(settings.spend_max_per_user_per_day * MICRO),
        )
        admission = Admission(self.redis, self.epoch)
        try:
            await self.ledger.begin(request.id, target.message_id)
            admitted = await admission.admit(request, limits, known, gone)
        except OutOfMemoryError:
            logger.error("Redis is full: a request is refused")
            if await self.requests.load(request.id) is None:
                await self.ledger.forget(request.id)
            return Verdict.FULL
        if admitted.verdict.is_refusal:
            await self.ledger.forget(request.id)
        elif admitted.verdict is not Verdict.KNOWN:
            is_hit = admitted.verdict in (Verdict.DONE, Verdict.JOINED)
            counter = counters.Counter.CACHE_HITS if is_hit else counters.Counter.CACHE_MISSES
            with contextlib.suppress(OutOfMemoryError):
                await counters.count(self.redis, counter)
        if admitted.to_queue:
            try:
                await asyncio.to_thread(queues.enqueue, self.rq, request.id, request.queue)
            except OutOfMemoryError as error:  # it is recorded, so it can't be refused: the update is handled again
                raise RedisConnectionError("Redis is full") from error
            await self.requests.mark_queued(request.id)
        return admitted.verdict

    async def _known(self, key: str) -> tuple[Result | None, str]:
        """Return a result that serves again, and the request that has just made one which does not: it is gone."""
        known = await self.cache.get(key)
        if known and not await self._is_gone(known.media):
            return known, ""
        made = await self.requests.latest_for(key)
        return None, made.request.id if made and await self._is_gone(made.media) else ""

    async def _is_gone(self, keys: Sequence[str]) -> bool:
        """Whether one of some pictures is surely no longer kept; those that are, are kept on."""
        try:
            return not all([await self.media.renew(key) for key in keys])
        except (OSError, obstore.exceptions.BaseError) as error:  # a worker waits for it
            logger.warning("the media store can't be asked: %s: %s", type(error).__name__, error)
            return False

    async def _may_begin(self, target: ReplyTarget, translate: Translator, requests: int = 1) -> bool:
        """Whether there is room for new requests, and the person may send so many now; says so, if not."""
        if await self.room.is_lacking():
            await self.bot.send_message(target.chat_id, translate("refused-no-room"))
            return False
        wait = await self.limiter.hit(target.user_id, requests)
        if wait:
            await self.bot.send_message(target.chat_id, translate("rate-limited", seconds=math.ceil(wait)))
        return not wait

    async def _refuse(self, verdict: Verdict, target: ReplyTarget, translate: Translator, *, vip: bool) -> None:
        logger.info("request %s: refused: %s", target.request_id, verdict)
        limit = self.settings.open_requests_max_vip if vip else self.settings.open_requests_max
        left = hours_and_minutes(seconds_to_next_day(time.time()), translate)
        allowance = await Allowances(self.redis, self.settings).of(target.user_id)
        if verdict is Verdict.OPEN:
            text = translate("refused-open", count=limit)
        elif verdict is Verdict.SPEND:
            text = translate("refused-spend", left=left)
        elif verdict is Verdict.USER_SPEND and allowance:
            key = "refused-user-spend" if allowance.used >= allowance.limit else "refused-user-spend-most"
            text = translate(key, used=allowance.used, limit=allowance.limit, left=left)
        else:
            text = translate(f"refused-{verdict}")
        await self.bot.send_message(target.chat_id, text)
        if verdict is Verdict.SPEND:
            await self.alerts.tell(Alert.SPEND_CAP)
