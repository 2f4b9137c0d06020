"""How many pictures a person has had today, of how many, and when the next day begins."""

import math
import time
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from app.bot.settings import BotSettings
from app.bot.texts import Translator
from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS, MICRO, cost
from app.core.operations import Operation

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Allowance:
    """The money of a person's day, in pictures made from words; ``left``: seconds to the next day (UTC)."""

    used: int
    limit: int
    left: float


class Allowances:
    """Looks at what people have spent (the queue's Redis; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, settings: BotSettings) -> None:
        self._redis = redis
        self._most = round(settings.spend_max_per_user_per_day * MICRO)
        endpoint = settings.models.get(Operation.CREATE, DEFAULT_ENDPOINTS[Operation.CREATE])
        self._price = cost(endpoint, {}, settings.prices)

    async def of(self, user_id: int) -> Allowance | None:
        """Return a person's allowance; None if there is no limit."""
        if not self._most or not self._price:
            return None
        now = time.time()
        day = time.strftime("%Y-%m-%d", time.gmtime(now))
        spent = int(await self._redis.get(redis_keys.spend(day, user_id)) or 0)
        return Allowance(math.ceil(spent / self._price), self._most // self._price, seconds_to_next_day(now))


def seconds_to_next_day(now: float) -> float:
    """Return the seconds from a time (Unix s) to the next day (UTC), at which all is counted from nothing."""
    return _DAY - now % _DAY


def hours_and_minutes(seconds: float, translate: Translator) -> str:
    """Say a time, rounded up to minutes."""
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    if not hours:
        return translate("status-minutes", minutes=minutes)
    return translate("left-hours-minutes", hours=hours, minutes=minutes)
