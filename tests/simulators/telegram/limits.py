"""How often a bot may send: about one message a second per chat and 30 a second over all."""

import math
import time

from .errors import too_many
from .settings import Settings


class Bucket:
    """A token bucket."""

    def __init__(self, rate: float, burst: float) -> None:
        self.rate, self.burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def wait(self, count: float) -> float:
        """Give the seconds until `count` may be taken, 0 if now. A count over the burst needs a full bucket."""
        now = time.monotonic()
        self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        return max(0.0, min(count, self.burst) - self._left) / self.rate

    def take(self, count: float) -> None:
        """Take; the bucket may go below zero."""
        self._left -= count


class RateLimits:
    """The buckets of all chats together and of each. Sends and edits count, answers to callbacks don't."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._chats: dict[int, Bucket] = {}
        self._all = Bucket(settings.all_per_s, settings.all_burst)

    def take(self, chat_id: int, count: int = 1) -> None:
        """Count `count` messages to a chat, or raise the 429 that says how long to wait."""
        if not self._settings.rate_limits:
            return
        chat = self._chats.get(chat_id)
        if chat is None:
            chat = self._chats[chat_id] = Bucket(self._settings.chat_per_s, self._settings.chat_burst)
        seconds = max(self._all.wait(count), chat.wait(count))
        if seconds > 0:
            raise too_many(math.ceil(seconds))
        self._all.take(count)
        chat.take(count)

    def renew(self) -> None:
        """Start with full buckets after the settings changed."""
        self._chats.clear()
        self._all = Bucket(self._settings.all_per_s, self._settings.all_burst)
