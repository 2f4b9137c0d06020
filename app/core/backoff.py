"""Backoff: waiting for a service that is away, and saying so."""

import asyncio
import logging
import random
import time

from redis.exceptions import RedisError

from app.core.redis_clients import passes
from app.core.sd_notify import notify

_REMIND_AFTER = 60.0
"""Seconds between two log lines about the same outage."""

logger = logging.getLogger(__name__)


class Backoff:
    """Tells that a service is away (once, then every minute) and that it is back, and spaces the attempts."""

    def __init__(self, service: str, *, first: float = 0.5, most: float = 15.0, status: bool = True) -> None:
        """``first`` and ``most``: seconds between attempts, growing twofold; ``status``: systemd is told, too."""
        self._service = service
        self._first, self._most = first, most
        self._status = status
        self._delay = first
        self._since: float | None = None
        self._told = 0.0

    async def wait(self, error: Exception, at_least: float = 0.0) -> None:
        """Note a failed attempt and wait before the next: the backoff's delay, or ``at_least`` seconds."""
        now = time.monotonic()
        if self._since is None or now - self._told >= _REMIND_AFTER:
            self._told = now
            self._tell(error, f" for {now - self._since:.0f} s" if self._since is not None else "")
            self._notify(f"Waiting for {self._service}")
        self._since = self._since or now
        # Jitter, so that many waiters do not come back in step.
        await asyncio.sleep(max(at_least, self._delay * random.uniform(0.8, 1.2)))  # noqa: S311 - not a secret
        self._delay = min(self._most, self._delay * 2)

    def _tell(self, error: Exception, for_seconds: str) -> None:
        if isinstance(error, RedisError) and not passes(error):
            logger.error("%s%s: a bug, tried again all the same", self._service, for_seconds, exc_info=error)
            return
        reason = (str(error).splitlines() or [""])[0]
        logger.warning("waiting for %s%s: %s: %s", self._service, for_seconds, type(error).__name__, reason)

    def reset(self) -> None:
        """Note that an attempt succeeded."""
        if self._since is not None:
            logger.info("%s is back after %.0f s", self._service, time.monotonic() - self._since)
            self._notify("Working")
        self._since, self._delay = None, self._first

    def _notify(self, status: str) -> None:
        if self._status:
            notify(f"STATUS={status}")
