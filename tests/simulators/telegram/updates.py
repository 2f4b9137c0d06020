"""Updates on their way to the bot: long polling or webhook, never both."""

import asyncio
import time
from typing import Any

from .errors import ApiError, conflict
from .journal import Journal

JSON = dict[str, Any]
_NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}
_OTHER_POLL = "terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


class Updates:
    """The updates that the bot has not acknowledged, oldest first."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # A simulator that is started anew must not use ids again: the bot knows updates by them.
        self.next_id = int(time.time())
        self.pending: list[JSON] = []
        self.allowed: list[str] | None = None
        self.webhook_url = ""
        self.made = 0
        self._again: list[JSON] = []
        self._poll: asyncio.Future[None] | None = None
        self.arrived = asyncio.Event()

    def add(self, kind: str, content: JSON) -> int | None:
        """Queue an update, unless the bot does not want its kind; give its update_id."""
        wanted = kind in self.allowed if self.allowed else kind not in _NOT_BY_DEFAULT
        if not wanted:
            return None
        update_id = self.next_id
        self.next_id += 1
        self.made += 1
        self.pending.append({"update_id": update_id, kind: content})
        self._journal.made(update_id, kind, content)
        self._wake()
        return update_id

    @property
    def polling(self) -> bool:
        """Whether somebody waits for updates."""
        return self._poll is not None

    def repeat(self, update: JSON) -> None:
        """Deliver an update that has its number already once more, acknowledged or not."""
        (self.pending if self.webhook_url else self._again).append(update)
        self._wake()

    def clear(self) -> None:
        """Drop everything that waits."""
        self.pending.clear()
        self._again.clear()

    def _wake(self) -> None:
        self.arrived.set()
        if self._poll and not self._poll.done():
            self._poll.set_result(None)

    def interrupt(self, error: ApiError) -> None:
        """End the long poll that is waiting."""
        if self._poll and not self._poll.done():
            self._poll.set_exception(error)

    async def get(self, offset: int, limit: int, timeout_s: float, allowed: list[str] | None) -> list[JSON]:
        """Acknowledge what is before `offset` and give the next ones, waiting for the first."""
        if self.webhook_url:
            raise conflict(_WEBHOOK)
        self.interrupt(conflict(_OTHER_POLL))
        if allowed is not None:
            self.allowed = allowed
        if offset < 0:
            self.pending = self.pending[offset:]
        elif offset:
            self.pending = [update for update in self.pending if update["update_id"] >= offset]
        if not self.pending and not self._again and timeout_s > 0:
            poll = self._poll = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(poll, timeout_s)
            except TimeoutError:
                return []
            finally:
                if self._poll is poll:
                    self._poll = None
        found, self._again = (self._again + self.pending)[:limit], []
        for update in found:
            self._journal.handed(update)
        return found
