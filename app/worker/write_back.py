"""What this worker knows of requests that fal has, written back if Redis has lost it (``app/core/epoch.py``)."""

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial

from redis import Redis as BlockingRedis
from redis.exceptions import RedisError

from app.core import queues
from app.core.epoch import TICK_EVERY, EpochClock
from app.core.redis_clients import check_cancelled, passes
from app.core.requests import RequestRecord
from app.worker.threads import in_thread

log = logging.getLogger(__name__)


@dataclass(slots=True)
class WriteBack:
    """Keeps the records of the requests in this worker's hands. ``connection`` is RQ's own."""

    clock: EpochClock
    connection: BlockingRedis
    _held: dict[str, RequestRecord] = field(default_factory=dict)
    _is_behind: bool = False

    def hold(self, record: RequestRecord) -> None:
        """Remember a record that has just been read, if fal has the request."""
        if record.fal:
            self._held[record.request.id] = record

    def forget(self, request_id: str) -> None:
        """Forget a request that is in other hands, or has ended, or of which fal has nothing any more."""
        self._held.pop(request_id, None)

    async def run(self) -> None:
        """For ever raise the tick; write back whatever is held as soon as Redis is behind."""
        while True:
            try:
                await self._look()
            except RedisError as error:
                if not passes(error):
                    log.exception("the epoch could not be looked at")
            except Exception:
                log.exception("the epoch could not be looked at")
            check_cancelled()
            await asyncio.sleep(TICK_EVERY)

    async def _look(self) -> None:
        if await self.clock.tick():
            self._is_behind = False
            return
        if not self._is_behind:
            log.error("Redis knows less than it did: nothing is begun until the bot has seen to what was lost")
        self._is_behind = True
        for request_id in list(self._held):
            await self.write(request_id)

    async def write(self, request_id: str) -> bool:
        """Write a held record back, if Redis is behind and has lost it, and queue its job; return whether it did.

        Raises:
            RedisError: there was no answer.
        """
        record = self._held.get(request_id)
        if record is None:
            return False
        fields = [part for pair in record.fields.items() for part in pair]
        if not await self.clock.write_back(request_id, fields):
            return False
        log.warning("request %s: Redis had lost that fal has it; it goes on", request_id)
        await in_thread(partial(queues.enqueue, self.connection, request_id, record.request.queue))
        return True
