"""Who waits for an answer, remembered outside Redis: should it lose their requests, they are told."""

import json
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.requests import RequestStore

ANSWERED_MAX: Final = 5000
"""Answered requests that are remembered, so that nobody is told that an answer which came is lost."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Where the answer to a request goes, and in which language."""

    chat_id: int
    locale: str


class WaitingList:
    """The open requests as they were a moment ago, kept in ``file`` over restarts, if there is one."""

    def __init__(self, redis: Redis, file: Path | None = None) -> None:
        self._redis = redis
        self._requests = RequestStore(redis)
        self._file = file
        self.waiting: dict[str, Waiting] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()
        self._written = ""
        try:
            if file:
                known = json.loads(file.read_text())
                self.waiting = {name: Waiting(int(chat), str(locale)) for name, chat, locale in known["waiting"]}
                self._answered.update((str(name), None) for name in known["answered"])
        except (OSError, ValueError, KeyError, TypeError):
            self.waiting.clear()  # the first start; or the file is damaged

    @property
    def answered_ids(self) -> list[str]:
        """The requests that were answered, the oldest first."""
        return list(self._answered)

    def was_answered(self, request_id: str) -> bool:
        """Whether a request that Redis takes for open was answered, as far as is known here."""
        return request_id in self._answered

    def answered(self, request_ids: Iterable[str]) -> None:
        """Note that these requests are answered."""
        for request_id in request_ids:
            self.waiting.pop(request_id, None)
            self._answered[request_id] = None
        while len(self._answered) > ANSWERED_MAX:
            self._answered.popitem(last=False)

    async def refresh(self, knows_all: Callable[[], Awaitable[bool]]) -> bool:
        """Take over what Redis knows, if, asked after that, it still knows all that it once knew; return whether.

        Raises:
            RedisError: there was no answer.
        """
        open_ids = cast(list[str], await self._redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1))
        new = await self._read([request_id for request_id in open_ids if request_id not in self.waiting])
        closed = list(self.waiting.keys() - set(open_ids))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for request_id in closed:
                pipeline.hexists(redis_keys.ledger_entry(request_id), "ended")
                pipeline.exists(redis_keys.ledger_entry(request_id))
            told = await pipeline.execute()
        if not await knows_all():
            return False
        self.waiting |= new
        self.answered(
            request_id
            for request_id, ended, exists in zip(closed, told[::2], told[1::2], strict=True)
            if ended or not exists
        )
        self._write()
        return True

    async def _read(self, request_ids: list[str]) -> dict[str, Waiting]:
        texts = await self._requests.asked_for(request_ids)
        found = {}
        for request_id, text in zip(request_ids, texts, strict=True):
            try:
                data: dict[str, Any] = json.loads(text or "")
                found[request_id] = Waiting(int(data["chat_id"]), str(data["locale"]))
            except (ValueError, KeyError, TypeError):
                log.warning("request %s: nobody knows who waits for it", request_id)
        return found

    def _write(self) -> None:
        waiting = [[name, each.chat_id, each.locale] for name, each in self.waiting.items()]
        text = json.dumps({"waiting": waiting, "answered": list(self._answered)})
        if not self._file or text == self._written:
            return
        try:
            temporary = self._file.with_suffix(".new")
            temporary.write_text(text)
            temporary.replace(self._file)
            self._written = text
        except OSError as error:
            log.warning("%s: %s", self._file, error.strerror)
