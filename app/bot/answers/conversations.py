"""What the bot has said about each request: the ledger that keeps a result from being sent twice.

One hash per request: the person's message, how far the answer has got, and the status message (``status_board.py``).
An answer is claimed, sent and recorded; a second sender finds it ended, or held, or (after a crash) goes on where it
stopped. Other answers that must not be given twice are kept here too, under names of their own.

What has been sent is recorded at any price: while Redis is away the record waits, and nothing else is sent.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.answers.fence import ClaimLostError, fenced
from app.bot.tasks import end
from app.core import redis_keys
from app.core.epoch import NO_EPOCH, Epoch
from app.core.events import EventType
from app.core.redis_clients import script, until_answered

TTL: Final = 7 * 24 * 3600
"""Seconds that a conversation is remembered after its last change."""

HOLD: Final = 6.0
"""Seconds that a claim lasts unless it is renewed."""

ENDED: Final = -1
HELD: Final = 0

_NOW: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
"""
# KEYS: conversation. ARGV: who claims, seconds of the claim, time to live.
_CLAIM: Final = f"""{_NOW}
local ended, sender, expires = unpack(redis.call('HMGET', KEYS[1], 'ended', 'sender', 'held_until'))
if ended then return {ENDED} end
if sender and sender ~= ARGV[1] and tonumber(expires) > now then return {HELD} end
redis.call('HSET', KEYS[1], 'sender', ARGV[1], 'held_until', now + ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HINCRBY', KEYS[1], 'attempts', 1)
"""
_IS_OURS: Final = """
local ended, sender, attempt = unpack(redis.call('HMGET', KEYS[1], 'ended', 'sender', 'attempts'))
if ended or sender ~= ARGV[1] or attempt ~= ARGV[2] then return 0 end
"""
# KEYS: conversation. ARGV: who claimed, the attempt's number, seconds of the claim.
_RENEW: Final = f"""{_IS_OURS}{_NOW}
redis.call('HSET', KEYS[1], 'held_until', now + ARGV[3])
return 1
"""
# KEYS: conversation. ARGV: who claimed, the attempt's number, message.
_PLACE: Final = f"""{_IS_OURS}
redis.call('HSET', KEYS[1], 'place', ARGV[3])
return 1
"""
# KEYS: conversation. ARGV: time to live, names of the pictures sent. A sender that was overtaken may know of less.
_SENT: Final = """
local known = cjson.decode(redis.call('HGET', KEYS[1], 'file_ids') or '[]')
if #known >= #cjson.decode(ARGV[2]) then return end
redis.call('HSET', KEYS[1], 'file_ids', ARGV[2])
redis.call('HDEL', KEYS[1], 'place')
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
# KEYS: conversation. ARGV: time to live, pairs to set...
_SET: Final = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
# KEYS: conversation, what its person has missed. ARGV: time to live, request.
_MISS: Final = """
redis.call('HSET', KEYS[1], 'ended', 1)
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[1])
"""
# KEYS: what a person has missed, events. What has been sent of it is in the ledger, and is not sent again.
_RETURN: Final = f"""
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  redis.call('HDEL', '{redis_keys.conversation("")}' .. id, 'ended')
  redis.call('XADD', KEYS[2], '*', 'type', '{EventType.DONE}', 'request_id', id)
end
redis.call('DEL', KEYS[1])
"""
# KEYS: conversation. ARGV: time to live.
_FAILED: Final = """
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'failures', 1)
"""


@dataclass(frozen=True, slots=True)
class Conversation:
    """The message that is answered, and how far the answer has got.

    ``file_ids``: Telegram's names for the pictures that have been sent; ``place``: the message that is to become the
    next one.
    """

    prompt_message_id: int | None = None
    file_ids: tuple[str, ...] = ()
    place: int | None = None


class Conversations:
    """The conversations in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch = NO_EPOCH) -> None:
        self._redis = redis
        self._claim, self._renewal = epoch.guard(redis, _CLAIM), script(redis, _RENEW)
        self._place, self._sent = script(redis, _PLACE), script(redis, _SENT)
        self._set, self._failed = script(redis, _SET), script(redis, _FAILED)
        self._miss, self._return = script(redis, _MISS), script(redis, _RETURN)

    async def load(self, request_id: str) -> Conversation:
        """Return what has been said; an empty conversation if nothing is known."""
        data = cast(dict[str, str], await self._redis.hgetall(redis_keys.conversation(request_id)))
        return Conversation(
            prompt_message_id=int(data["prompt_message_id"]) if "prompt_message_id" in data else None,
            file_ids=tuple(json.loads(data.get("file_ids", "[]"))),
            place=int(data["place"]) if "place" in data else None,
        )

    async def begin(self, request_id: str, prompt_message_id: int) -> None:
        """Remember which message the answer belongs to."""
        await self._note(request_id, prompt_message_id=prompt_message_id)

    async def claim(self, request_id: str, sender: str) -> int:
        """Claim the right to answer; return the attempt's number (from 1), ``ENDED``, or ``HELD`` by another."""
        return int(await self._claim(keys=[redis_keys.conversation(request_id)], args=[sender, HOLD, TTL]))

    @contextlib.asynccontextmanager
    async def hold(self, request_id: str, sender: str, attempt: int) -> AsyncIterator[None]:
        """Keep a claim alive for as long as the block takes: flood control can make sending slow.

        Messages that are sent within are fenced: each asks first whether the claim is still ours.
        """
        renew = _Renewal(self._renewal, request_id, sender, attempt)
        keeper = asyncio.create_task(_keep(renew))
        try:
            with fenced(lambda: until_answered(renew)):
                yield
        finally:
            await end([keeper])

    async def placed(self, request_id: str, sender: str, attempt: int, message_id: int) -> None:
        """Note which message is to become the next picture.

        Raises:
            ClaimLostError: another sender has taken over meanwhile, and does not know of this message.
        """
        key = redis_keys.conversation(request_id)
        if not await until_answered(lambda: self._place(keys=[key], args=[sender, attempt, message_id])):
            raise ClaimLostError(f"request {request_id}: another sender has taken over")

    async def pictures_sent(self, request_id: str, file_ids: Sequence[str]) -> None:
        """Note which pictures have been sent in all."""
        key = redis_keys.conversation(request_id)
        await until_answered(lambda: self._sent(keys=[key], args=[TTL, json.dumps(file_ids)]))

    async def failed(self, request_id: str) -> int:
        """Count an attempt that failed; return how many have."""
        return int(await self._failed(keys=[redis_keys.conversation(request_id)], args=[TTL]))

    async def file_of(self, request_id: str, number: int) -> str:
        """Return Telegram's name for the file in full quality of a picture; empty if it has not been sent."""
        return await cast(Any, self._redis.hget(redis_keys.conversation(request_id), f"file_{number}")) or ""

    async def file_sent(self, request_id: str, number: int, file_id: str) -> None:
        """Remember Telegram's name for the file in full quality of a picture."""
        await self._note(request_id, **{f"file_{number}": file_id})

    async def end(self, request_id: str) -> None:
        """Note that the request is answered: nothing more is to be sent."""
        await until_answered(lambda: self._note(request_id, ended=1))

    async def miss(self, request_id: str, user_id: int) -> None:
        """Note that a result is there, and nobody to send it to: it waits for ``TTL`` seconds for them to return."""
        keys = [redis_keys.conversation(request_id), redis_keys.missed(user_id)]
        await until_answered(lambda: self._miss(keys=keys, args=[TTL, request_id]))

    async def returned(self, user_id: int) -> None:
        """Have a person who is back sent what they have missed: it is told of once more."""
        await self._return(keys=[redis_keys.missed(user_id), redis_keys.EVENTS])

    async def forget(self, request_id: str) -> None:
        """Drop the conversation of a request that was not taken after all."""
        await self._redis.delete(redis_keys.conversation(request_id))

    async def _note(self, request_id: str, **fields: int | str) -> None:
        pairs = [str(part) for pair in fields.items() for part in pair]
        await self._set(keys=[redis_keys.conversation(request_id)], args=[TTL, *pairs])


@dataclass(frozen=True, slots=True)
class _Renewal:
    """Renews a claim when called; returns whether it is still ours."""

    script: Callable[..., Awaitable[Any]]
    request_id: str
    sender: str
    attempt: int

    async def __call__(self) -> bool:
        key = redis_keys.conversation(self.request_id)
        return bool(await self.script(keys=[key], args=[self.sender, self.attempt, HOLD]))


async def _keep(renew: _Renewal) -> None:
    while True:
        await asyncio.sleep(HOLD / 3)
        with contextlib.suppress(RedisError):  # the next turn tries again
            await renew()
