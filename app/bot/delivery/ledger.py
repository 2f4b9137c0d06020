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

from app.bot.delivery.fence import ClaimLostError, fenced
from app.bot.tasks import end
from app.core import redis_keys
from app.core.epoch import NO_EPOCH, Epoch
from app.core.lua_scripts import load
from app.core.redis_retry import retry

TTL: Final = 7 * 24 * 3600
"""Seconds that a ledger entry is remembered after its last change."""

HOLD: Final = 6.0
"""Seconds that a claim lasts unless it is renewed."""

ENDED: Final = -1
HELD: Final = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The message that is answered, and how far the answer has got.

    ``file_ids``: Telegram's names for the pictures that have been sent; ``place``: the message that is to become the
    next one; ``album``: the messages that are, or are to become, all of them.
    """

    prompt_message_id: int | None = None
    file_ids: tuple[str, ...] = ()
    place: int | None = None
    album: tuple[int, ...] = ()


class DeliveryLedger:
    """The entries in Redis (the queue's instance; a client with ``decode_responses``)."""

    def __init__(self, redis: Redis, epoch: Epoch = NO_EPOCH) -> None:
        self._redis = redis
        self._claim = epoch.guard(redis, load(__file__, "claim_answer"))
        self._renewal = redis.register_script(load(__file__, "renew_answer"))
        self._place = redis.register_script(load(__file__, "place_answer"))
        self._album = redis.register_script(load(__file__, "place_album"))
        self._sent = redis.register_script(load(__file__, "pictures_sent"))
        self._set = redis.register_script(load(__file__, "note"))
        self._failed = redis.register_script(load(__file__, "answer_failed"))
        self._miss = redis.register_script(load(__file__, "miss_result"))
        self._return = redis.register_script(load(__file__, "return_missed"))

    async def load(self, request_id: str) -> LedgerEntry:
        """Return what has been said; an empty ledger entry if nothing is known."""
        data = cast(dict[str, str], await self._redis.hgetall(redis_keys.ledger_entry(request_id)))
        return LedgerEntry(
            prompt_message_id=int(data["prompt_message_id"]) if "prompt_message_id" in data else None,
            file_ids=tuple(json.loads(data.get("file_ids", "[]"))),
            place=int(data["place"]) if "place" in data else None,
            album=tuple(json.loads(data.get("album", "[]"))),
        )

    async def begin(self, request_id: str, prompt_message_id: int) -> None:
        """Remember which message the answer belongs to."""
        await self._note(request_id, prompt_message_id=prompt_message_id)

    async def claim(self, request_id: str, sender: str) -> int:
        """Claim the right to answer; return the attempt's number (from 1), ``ENDED``, or ``HELD`` by another."""
        keys = [redis_keys.ledger_entry(request_id)]
        return int(await self._claim(keys=keys, args=[sender, HOLD, TTL, ENDED, HELD]))

    @contextlib.asynccontextmanager
    async def lock(self, request_id: str, sender: str, attempt: int) -> AsyncIterator[None]:
        """Keep a claim alive for as long as the block takes: flood control can make sending slow.

        Messages that are sent within are fenced: each asks first whether the claim is still ours.
        """
        renew = _Renewal(self._renewal, request_id, sender, attempt)
        keeper = asyncio.create_task(_keep(renew))
        try:
            with fenced(lambda: retry(renew)):
                yield
        finally:
            await end([keeper])

    async def placed(self, request_id: str, sender: str, attempt: int, message_id: int) -> None:
        """Note which message is to become the next picture.

        Raises:
            ClaimLostError: another sender has taken over meanwhile, and does not know of this message.
        """
        key = redis_keys.ledger_entry(request_id)
        if not await retry(lambda: self._place(keys=[key], args=[sender, attempt, message_id])):
            raise ClaimLostError(f"request {request_id}: another sender has taken over")

    async def album_placed(
        self, request_id: str, sender: str, attempt: int, chat_id: int, album: Sequence[int], file_ids: Sequence[str]
    ) -> None:
        """Note which messages are to become the pictures; ``file_ids``: the names of those that they are already.

        Raises:
            ClaimLostError: another sender has taken over meanwhile, and does not know of these messages.
        """
        keys = [redis_keys.ledger_entry(request_id), redis_keys.shown(chat_id, "")]
        names = [json.dumps(file_ids)] if file_ids else []
        args: list[str | int] = [sender, attempt, request_id, TTL, json.dumps(album), *names]
        if not await retry(lambda: self._album(keys=keys, args=args)):
            raise ClaimLostError(f"request {request_id}: another sender has taken over")

    async def shown_in(self, chat_id: int, message_id: int) -> tuple[str, int] | None:
        """Return the request, and the number of its picture, that a message of an album shows, if that is known."""
        found = await cast(Any, self._redis.get(redis_keys.shown(chat_id, message_id)))
        request_id, _, number = str(found or "").rpartition(":")
        return (request_id, int(number)) if request_id else None

    async def pictures_sent(self, request_id: str, file_ids: Sequence[str]) -> None:
        """Note which pictures have been sent in all."""
        key = redis_keys.ledger_entry(request_id)
        await retry(lambda: self._sent(keys=[key], args=[TTL, json.dumps(file_ids)]))

    async def failed(self, request_id: str) -> int:
        """Count an attempt that failed; return how many have."""
        return int(await self._failed(keys=[redis_keys.ledger_entry(request_id)], args=[TTL]))

    async def file_of(self, request_id: str, number: int) -> str:
        """Return Telegram's name for the file in full quality of a picture; empty if it has not been sent."""
        return await cast(Any, self._redis.hget(redis_keys.ledger_entry(request_id), f"file_{number}")) or ""

    async def file_sent(self, request_id: str, number: int, file_id: str) -> None:
        """Remember Telegram's name for the file in full quality of a picture."""
        await self._note(request_id, **{f"file_{number}": file_id})

    async def end(self, request_id: str) -> None:
        """Note that the request is answered: nothing more is to be sent."""
        await retry(lambda: self._note(request_id, ended=1))

    async def miss(self, request_id: str, user_id: int) -> None:
        """Note that a result is there, and nobody to send it to: it waits for ``TTL`` seconds for them to return."""
        keys = [redis_keys.ledger_entry(request_id), redis_keys.missed(user_id)]
        await retry(lambda: self._miss(keys=keys, args=[TTL, request_id]))

    async def returned(self, user_id: int) -> None:
        """Have a person who is back sent what they have missed: it is told of once more."""
        await self._return(keys=[redis_keys.missed(user_id), redis_keys.EVENTS, redis_keys.ledger_entry("")])

    async def forget(self, request_id: str) -> None:
        """Drop the ledger entry of a request that was not taken after all."""
        await self._redis.delete(redis_keys.ledger_entry(request_id))

    async def _note(self, request_id: str, **fields: int | str) -> None:
        pairs = [str(part) for pair in fields.items() for part in pair]
        await self._set(keys=[redis_keys.ledger_entry(request_id)], args=[TTL, *pairs])


@dataclass(frozen=True, slots=True)
class _Renewal:
    """Renews a claim when called; returns whether it is still ours."""

    script: Callable[..., Awaitable[Any]]
    request_id: str
    sender: str
    attempt: int

    async def __call__(self) -> bool:
        key = redis_keys.ledger_entry(self.request_id)
        return bool(await self.script(keys=[key], args=[self.sender, self.attempt, HOLD]))


async def _keep(renew: _Renewal) -> None:
    while True:
        await asyncio.sleep(HOLD / 3)
        with contextlib.suppress(RedisError):  # the next turn tries again
            await renew()
