"""What the bot has said about each request: the ledger that keeps a result from being sent twice.

One hash per request: the person's message, how far the answer has got, and the status message (``status_board.py``).
An answer is claimed, sent and recorded; a second sender finds it ended, or held, or (after a crash) goes on where it
stopped. Other answers that must not be given twice are kept here too, under names of their own.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.tasks import end
from app.core import redis_keys

TTL: Final = 7 * 24 * 3600
"""Seconds that a conversation is remembered after its last change."""

HOLD: Final = 6.0
"""Seconds that a claim lasts unless it is renewed."""

ENDED: Final = -1
HELD: Final = 0

# KEYS: conversation. ARGV: who claims, seconds of the claim, time to live, 1 for a new attempt or 0 to renew.
_CLAIM: Final = """
local ended, sender, expires = unpack(redis.call('HMGET', KEYS[1], 'ended', 'sender', 'held_until'))
if ended then return -1 end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
if sender and sender ~= ARGV[1] and tonumber(expires) > now then return 0 end
redis.call('HSET', KEYS[1], 'sender', ARGV[1], 'held_until', now + ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HINCRBY', KEYS[1], 'attempts', ARGV[4])
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The message that is answered, and Telegram's names for the pictures of the answer that have been sent."""

    prompt_message_id: int | None = None
    file_ids: tuple[str, ...] = ()


class Conversations:
    """The conversations in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)

    async def load(self, request_id: str) -> Conversation:
        """Return what has been said; an empty conversation if nothing is known."""
        data = cast(dict[str, str], await self._redis.hgetall(redis_keys.conversation(request_id)))
        return Conversation(
            prompt_message_id=int(data["prompt_message_id"]) if "prompt_message_id" in data else None,
            file_ids=tuple(json.loads(data.get("file_ids", "[]"))),
        )

    async def begin(self, request_id: str, prompt_message_id: int) -> None:
        """Remember which message the answer belongs to."""
        await self._set(request_id, "prompt_message_id", prompt_message_id)

    async def claim(self, request_id: str, sender: str) -> int:
        """Claim the right to answer; return the attempt's number (from 1), ``ENDED``, or ``HELD`` by another."""
        return int(await self._try_claim(request_id, sender, attempts=1))

    @contextlib.asynccontextmanager
    async def hold(self, request_id: str, sender: str) -> AsyncIterator[None]:
        """Keep a claim alive for as long as the block takes: flood control can make sending slow."""
        keeper = asyncio.create_task(self._renew(request_id, sender))
        try:
            yield
        finally:
            await end([keeper])

    async def pictures_sent(self, request_id: str, file_ids: Sequence[str]) -> None:
        """Note which pictures have been sent in all."""
        await self._set(request_id, "file_ids", json.dumps(file_ids))

    async def file_of(self, request_id: str, number: int) -> str:
        """Return Telegram's name for the file in full quality of a picture; empty if it has not been sent."""
        return await cast(Any, self._redis.hget(redis_keys.conversation(request_id), f"file_{number}")) or ""

    async def file_sent(self, request_id: str, number: int, file_id: str) -> None:
        """Remember Telegram's name for the file in full quality of a picture."""
        await self._set(request_id, f"file_{number}", file_id)

    async def end(self, request_id: str) -> None:
        """Note that the request is answered: nothing more is to be sent."""
        await self._set(request_id, "ended", 1)

    async def forget(self, request_id: str) -> None:
        """Drop the conversation of a request that was not taken after all."""
        await self._redis.delete(redis_keys.conversation(request_id))

    async def _set(self, request_id: str, field: str, value: int | str) -> None:
        key = redis_keys.conversation(request_id)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, field, str(value))
            pipeline.expire(key, TTL)
            await pipeline.execute()

    async def _try_claim(self, request_id: str, sender: str, attempts: int) -> Any:
        return await self._claim(keys=[redis_keys.conversation(request_id)], args=[sender, HOLD, TTL, attempts])

    async def _renew(self, request_id: str, sender: str) -> None:
        while True:
            await asyncio.sleep(HOLD / 3)
            with contextlib.suppress(RedisError):  # the next turn tries again
                await self._try_claim(request_id, sender, attempts=0)
