"""Albums, and texts that a client has cut: their messages come as separate updates; nothing says which is the last.

Each is put aside in Redis. When none has come for ``QUIET`` seconds the album is closed: one update that holds all of
its messages goes into the inbox, in the same step, with the id of the first. So an album is handled as any other
update is. The pieces of a text become one message with the whole text.
"""

import asyncio
import json
from typing import Any, Final

from aiogram.types import Message, Update
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.bot.updates.inbox import RECEIVED_TTL, chat_of
from app.core import redis_keys
from app.core.backoff import Backoff
from app.core.lua_scripts import load

QUIET: Final = 1.0
"""Seconds without another message after which an album is taken to be whole."""
CLOSED_TTL: Final = 3600
"""Seconds that a closed album is remembered."""

ALBUM_FIELD: Final = "imagebot_album"
"""The field of an update that holds an album's messages; no name of Telegram's."""
WHOLE_FIELD: Final = "imagebot_whole"
"""The field of an update whose text is all that there is of it; no name of Telegram's."""
TEXT_MOST: Final = 4096
"""UTF-16 units of a message; a client cuts what is longer, and sends the pieces one after the other."""
PIECE_LEAST: Final = TEXT_MOST // 2
"""UTF-16 units that a piece with more to come has at least: clients look for a good place in the second half."""
_CLOSED: Final = "closed"
_LOOK: Final = 0.2
"""Seconds between two looks for albums that are whole."""


def album_of(update: Update) -> list[Message] | None:
    """Return the messages of the album that an update holds, as the person sees them, or None if it holds none."""
    parts = (update.model_extra or {}).get(ALBUM_FIELD)
    if not parts:
        return None
    return [Message.model_validate(part, context={"bot": update.bot}) for part in parts]


def may_be_cut(text: str) -> bool:
    """Whether a text may be a piece of a longer one that goes on in the next message."""
    return _units(text) >= PIECE_LEAST


def is_whole(update: Update) -> bool:
    """Whether an update's text has been put together."""
    return bool((update.model_extra or {}).get(WHOLE_FIELD))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _joined(pieces: list[str]) -> str:
    """Put pieces together; one that is not full was cut where there had been a blank, which is lost."""
    return "".join(piece if _units(piece) == TEXT_MOST else f"{piece}\n" for piece in pieces[:-1]) + pieces[-1]


class Albums:
    """Puts the messages of albums aside, and closes the albums."""

    def __init__(self, redis: Redis, quiet: float = QUIET) -> None:
        self._redis = redis
        self._quiet = quiet
        self._add, self._due = (
            redis.register_script(load(__file__, "add_to_album")),
            redis.register_script(load(__file__, "due_albums")),
        )
        self._postpone, self._close = (
            redis.register_script(load(__file__, "postpone_albums")),
            redis.register_script(load(__file__, "close_album")),
        )

    async def add(self, message: Message, update_id: int) -> bool:
        """Put a message of an album aside; return False if it comes too late to be part of it."""
        album_id = f"{message.chat.id}-{message.media_group_id or 'text'}"
        text = message.model_dump_json(exclude_unset=True, by_alias=True)
        part = f'{{"update_id": {update_id}, "message": {text}}}'
        keys = [redis_keys.album(album_id), redis_keys.ALBUMS]
        return bool(await self._add(keys=keys, args=[album_id, message.message_id, part, self._quiet]))

    async def run(self) -> None:
        """Close albums for ever."""
        backoff = Backoff("Redis (albums)")
        while True:
            try:
                # While nobody was here messages may have waited elsewhere: give them time to come.
                await self._postpone(keys=[redis_keys.ALBUMS], args=[self._quiet])
                while True:
                    for album_id in await self._due(keys=[redis_keys.ALBUMS]):
                        await self._try_to_close(album_id)
                    backoff.reset()
                    await asyncio.sleep(_LOOK)
            except RedisError as error:
                await backoff.wait(error)

    async def _try_to_close(self, album_id: str) -> None:
        """Close an album, unless another message has come, or another instance was faster."""
        found: Any = await self._redis.hgetall(redis_keys.album(album_id))
        if not found or _CLOSED in found:
            await self._redis.zrem(redis_keys.ALBUMS, album_id)
            return
        parts = [json.loads(found[message_id]) for message_id in sorted(found, key=int)]
        messages = [part["message"] for part in parts]
        whole = {"update_id": min(part["update_id"] for part in parts), "message": messages[0], ALBUM_FIELD: messages}
        ttl = CLOSED_TTL
        if "media_group_id" not in messages[0]:  # the next text of the chat is another one
            text = _joined([message["text"] for message in messages])
            whole = {"update_id": whole["update_id"], "message": {**messages[0], "text": text}, WHOLE_FIELD: True}
            ttl = 0
        last = redis_keys.last_update_of(chat_of(whole))
        await self._close(
            keys=[redis_keys.ALBUMS, redis_keys.album(album_id), redis_keys.INBOX, last],
            args=[album_id, len(messages), json.dumps(whole, ensure_ascii=False), ttl, RECEIVED_TTL],
        )
