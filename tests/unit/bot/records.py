"""Requests, the queues and the ledger without Redis, for tests of handlers."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from app.bot.delivery.eta import QueueState
from app.bot.delivery.ledger import ENDED, LedgerEntry
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestRecord, RequestState


def record(
    request_id: str, user_id: int, state: RequestState = RequestState.DONE, pictures: int = 1, **request: Any
) -> RequestRecord:
    """What is known of a request for a fox."""
    fields = {"chat_id": user_id, "locale": "en", "operation": Operation.CREATE, "prompt": "a fox", **request}
    names = [f"{request_id}-{number}" for number in range(pictures if state is RequestState.DONE else 0)]
    return RequestRecord(
        ImageRequest(request_id, user_id, **fields),
        state,
        media=tuple(f"{name}.jpg" for name in names),
        file_ids=tuple(f"photo-{name}" for name in names),
    )


@dataclass
class Records:
    """All requests, oldest first."""

    kept: dict[str, RequestRecord] = field(default_factory=dict)

    def keep(self, *records: RequestRecord) -> None:
        self.kept |= {record.request.id: record for record in records}

    async def load(self, request_id: str) -> RequestRecord | None:
        return self.kept.get(request_id)

    async def open_of(self, user_id: int) -> list[RequestRecord]:
        return [each for each in self.kept.values() if each.request.user_id == user_id and not each.state.is_terminal]

    async def history(self, user_id: int, offset: int, count: int) -> list[RequestRecord]:
        done = [each for each in self.kept.values() if each.request.user_id == user_id and each.media]
        return done[::-1][offset : offset + count]


@dataclass
class Sky:
    """Always the same queue_state: ``u1``, ``u2`` ... wait in this spec."""

    queue_state: QueueState = field(
        default_factory=lambda: QueueState({f"u{n}": n for n in range(1, 100)}, 0, 10, {Operation.CREATE: 20.0})
    )

    async def look(self) -> QueueState:
        return self.queue_state


@dataclass
class Ledger:
    """What has been answered, and the names of files."""

    ended: set[str] = field(default_factory=set)
    files: dict[tuple[str, int], str] = field(default_factory=dict)

    async def load(self, name: str) -> LedgerEntry:
        return LedgerEntry()

    async def claim(self, name: str, sender: str) -> int:
        return ENDED if name in self.ended else 1

    @contextlib.asynccontextmanager
    async def lock(self, name: str, sender: str, attempt: int) -> AsyncIterator[None]:
        yield

    async def end(self, name: str) -> None:
        self.ended.add(name)

    async def file_of(self, request_id: str, number: int) -> str:
        return self.files.get((request_id, number), "")

    async def file_sent(self, request_id: str, number: int, file_id: str) -> None:
        self.files[request_id, number] = file_id
