"""What is to be done when Redis has come back with less than it had (``app/core/epoch.py``)."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Final, cast

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.delivery.ledger import DeliveryLedger
from app.bot.delivery.waiting import Waiting, WaitingList
from app.bot.texts import Texts, Translator
from app.bot.users.alerts import Alert, Alerts
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.epoch import TICK_EVERY, EpochClock
from app.core.errors import FailureReason
from app.core.redis_clients import passes
from app.core.redis_lock import RedisLock
from app.core.requests import RequestState, RequestStore

WRITE_BACK_TIME: Final = 3 * TICK_EVERY
"""Seconds in which every worker has written back what it has in its hands."""
_TURN: Final = 60
"""Seconds that one bot has for it before another one tries."""
_DOUBTFUL: Final = frozenset({RequestState.QUEUED, RequestState.SUBMITTING})
"""States in an older copy after which fal may have been asked since."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Recovery:
    """Keeps the waiting list, and sees to what Redis has lost. ``requests`` must go by any copy (no epoch)."""

    bot: Bot
    redis: Redis
    clock: EpochClock
    waiting: WaitingList
    requests: RequestStore
    ledger: DeliveryLedger
    alerts: Alerts
    texts: Texts
    name: str

    async def run(self) -> None:
        """For ever raise the tick; recover when Redis is behind."""
        backoff = Backoff("Redis (epoch)", most=TICK_EVERY)
        while True:
            try:
                knows_all = await self.waiting.refresh(self.clock.tick)
                if not knows_all and await self._lock().acquire() == self.name:
                    await self._recover()
            except RedisError as error:
                if not passes(error):
                    raise
                await backoff.wait(error)
            else:
                backoff.reset()
                await asyncio.sleep(TICK_EVERY)

    def _lock(self) -> RedisLock:
        return RedisLock(self.redis, redis_keys.RECOVERY, self.name, _TURN)

    async def _recover(self) -> None:
        """End what may have gone on unseen, tell whoever waited for what is gone, and let all go on.

        Only what Redis still knows to be with fal goes on: anything else might be paid for twice.
        """
        logger.error("Redis knows less than it did: seeing to what was lost")
        await asyncio.sleep(WRITE_BACK_TIME)
        kept, ended = 0, 0
        for request_id in cast(list[str], await self.redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1)):
            record = await self.requests.load(request_id)
            if self.waiting.was_answered(request_id):
                await self.ledger.end(request_id)  # nothing more is said of it
            elif record and record.state not in _DOUBTFUL:
                kept += 1
                continue
            else:
                ended += 1
            await self.requests.fail(request_id, FailureReason.RECORDS_LOST)
        gone = [
            (request_id, waiting)
            for request_id, waiting in self.waiting.waiting.items()
            if await self.requests.load(request_id) is None
        ]
        for request_id, waiting in gone:
            await self._tell(waiting)
            await self.requests.bury(request_id)
        for request_id in self.waiting.answered_ids:
            await self.requests.bury(request_id)
        self.waiting.answered([request_id for request_id, _ in gone])
        await self.clock.announce()
        await self._lock().release()
        logger.error("Redis had lost records: %d requests go on, %d were ended, %d are gone", kept, ended, len(gone))
        await self.alerts.tell(Alert.RECORDS_LOST, str(time.time()), kept=kept, lost=ended + len(gone))

    async def _tell(self, waiting: Waiting) -> None:
        translate = Translator(self.texts, waiting.locale)
        try:
            await self.bot.send_message(waiting.chat_id, translate(f"failed-{FailureReason.RECORDS_LOST}"))
        except (TelegramAPIError, ClientDecodeError) as error:
            logger.warning("chat %d could not be told that its request is lost: %s", waiting.chat_id, error)
