"""Admins hear once that the drawing service takes nothing, and why; and once that it takes requests again."""

import asyncio
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.users.alerts import Alert, Alerts
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.pause import PauseKind, Pauses

LOOK_EVERY: Final = 5.0
"""Seconds between two looks at the pause."""
DOWN_FOR: Final = 120
"""Seconds of an outage after which it is worth an alert; trouble with the account always is, at once."""
TOLD_TTL: Final = 7 * 24 * 3600
"""Seconds for which it is remembered that a pause was told of."""

_ALERTS: Final = {
    PauseKind.ACCOUNT: Alert.ACCOUNT_REFUSED,
    PauseKind.PROVIDER_DOWN: Alert.PROVIDER_DOWN,
}


@dataclass(slots=True)
class PauseAlerts:
    """Watches the pause (the queue's Redis; a client with ``decode_responses``)."""

    redis: Redis
    pauses: Pauses
    alerts: Alerts

    async def run(self) -> None:
        """For ever look at it; all instances may."""
        backoff = Backoff("Redis (pause)")
        while True:
            try:
                await self.look()
            except RedisError as error:
                await backoff.wait(error)
            else:
                backoff.reset()
                await asyncio.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Tell of a pause that stands, or of the end of one that was told of."""
        pause = await self.pauses.current()
        if pause is None:
            if told := await self.redis.getdel(redis_keys.PAUSE_TOLD):
                await self.alerts.tell(Alert.RESUMED, str(told))
            return
        seconds, _ = await self.redis.time()
        if pause.kind is PauseKind.ACCOUNT or int(seconds) - pause.since >= DOWN_FOR:
            await self.alerts.tell(_ALERTS[pause.kind], str(pause.since), reason=pause.reason)
            await self.redis.set(redis_keys.PAUSE_TOLD, pause.since, ex=TOLD_TTL)
