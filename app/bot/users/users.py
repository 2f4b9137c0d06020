"""The people who have written to the bot: when, what they have chosen, who is served first and who not at all."""

import time
from dataclasses import dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from app.bot.texts import DEFAULT_LOCALE
from app.bot.users.preferences import AUTO, Choice, Preferences
from app.core import redis_keys

BAN_TOLD_AGAIN: Final = 3600
"""Seconds between two answers to somebody who is banned."""

_TELEGRAM_LOCALE: Final = "telegram_locale"
"""Field of a person's hash: the locale that their Telegram asks for, for what the bot says unasked."""


@dataclass(frozen=True, slots=True)
class BotUser:
    """What is known of a person; ``locale`` is the language to speak with them.

    ``missed``: results came while they had blocked the bot.
    """

    preferences: Preferences
    locale: str
    banned: bool = False
    missed: bool = False
    cut: bool = False
    """A text of theirs is just coming in pieces."""


class Users:
    """The registry in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def upsert(self, user_id: int, telegram_locale: str) -> BotUser:
        """Note that a person is here, and return what is known of them, in one round trip.

        While Redis is full nothing is noted, and people are served all the same.
        """
        key = redis_keys.preferences(user_id)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zadd(redis_keys.USERS, {str(user_id): time.time()})
            pipeline.hset(key, _TELEGRAM_LOCALE, telegram_locale)
            pipeline.hgetall(key)
            pipeline.sismember(redis_keys.BANNED, str(user_id))
            pipeline.exists(redis_keys.missed(user_id))
            pipeline.exists(redis_keys.pieces(user_id))
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, OutOfMemoryError):
                raise answer
        _, _, stored, banned, missed, cut = answers
        known = {**stored, _TELEGRAM_LOCALE: telegram_locale}
        return _bot_user(known, banned=bool(banned), missed=bool(missed), cut=bool(cut))

    async def get(self, user_id: int) -> BotUser:
        """Return what is known of a person who is not here."""
        return _bot_user(
            cast(dict[str, str], await self._redis.hgetall(redis_keys.preferences(user_id))),
            banned=bool(await self._redis.sismember(redis_keys.BANNED, str(user_id))),
        )

    async def leave(self, user_id: int) -> None:
        """Note that a person has blocked the bot, or no longer exists: they are not to be written to."""
        await self._redis.zrem(redis_keys.USERS, str(user_id))

    async def audience(self) -> int:
        """Count those who can be written to."""
        keys = [redis_keys.USERS, redis_keys.BANNED]
        everybody = await self._redis.zcard(redis_keys.USERS)
        return everybody - int(await self._redis.zintercard(len(keys), keys))

    async def choose(self, user_id: int, choice: Choice, option: str) -> None:
        """Keep what a person has chosen."""
        await cast(Any, self._redis.hset(redis_keys.preferences(user_id), choice, option))

    async def set_vip(self, user_id: int, vip: bool) -> None:
        """Serve a person first, or like everybody."""
        await self._put(redis_keys.VIP, user_id, vip)

    async def set_banned(self, user_id: int, banned: bool) -> None:
        """Stop serving a person, or serve them again."""
        await self._put(redis_keys.BANNED, user_id, banned)
        await self._redis.delete(redis_keys.ban_told(user_id))

    async def is_vip(self, user_id: int) -> bool:
        """Whether a person is served first."""
        return bool(await self._redis.sismember(redis_keys.VIP, str(user_id)))

    async def vips(self) -> list[int]:
        """Return the ids of those who are served first."""
        return sorted(int(member) for member in await cast(Any, self._redis.smembers(redis_keys.VIP)))

    async def banned(self) -> list[int]:
        """Return the ids of those who are not served."""
        return sorted(int(member) for member in await cast(Any, self._redis.smembers(redis_keys.BANNED)))

    async def is_to_be_told_of_ban(self, user_id: int) -> bool:
        """Whether a banned person is to get an answer: now and then, for those who were banned may write a lot."""
        return bool(await self._redis.set(redis_keys.ban_told(user_id), 1, nx=True, ex=BAN_TOLD_AGAIN))

    async def _put(self, key: str, user_id: int, inside: bool) -> None:
        await cast(Any, (self._redis.sadd if inside else self._redis.srem)(key, str(user_id)))


def _bot_user(stored: dict[str, str], *, banned: bool, missed: bool = False, cut: bool = False) -> BotUser:
    preferences = Preferences.from_hash(stored)
    telegram_locale = stored.get(_TELEGRAM_LOCALE, DEFAULT_LOCALE)
    locale = telegram_locale if preferences.language == AUTO else preferences.language
    return BotUser(preferences, locale, banned, missed, cut)
