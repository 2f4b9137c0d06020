"""Is there room for more requests? Asked before anything is written, so that those that are taken can be finished."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from app.bot.users.alerts import Alert, Alerts

MEMORY_MOST: Final = 0.85
"""Share of Redis' memory (``maxmemory``) above which nothing new is taken."""
DISK_LEAST: Final = 0.10
"""Share of a disk that must be free for something new; results go early well before (``media_disk_percent``)."""
FRESH: Final = 2.0
"""Seconds for which finding room serves all; where there was none, the next question looks anew."""

log = logging.getLogger(__name__)


def free_share(path: Path) -> float:
    """Return the share of a file system that is free, as df counts: what is kept for root or Redis is no part."""
    disk = os.statvfs(path)
    usable = disk.f_blocks - disk.f_bfree + disk.f_bavail
    return disk.f_bavail / usable if usable else 1.0


class Room:
    """Looks at Redis' memory (the queue's instance) and at the disks."""

    def __init__(
        self,
        redis: Redis,
        *disks: Path,
        alerts: Alerts | None = None,
        free: Callable[[Path], float] = free_share,
        fresh: float = FRESH,
    ) -> None:
        """``disks``: a path on each; ``free``: tells the share of one that is free."""
        self._alerts = alerts
        self._redis, self._disks, self._free, self._fresh = redis, disks, free, fresh
        self._found_at = -fresh
        self._shares: dict[Path, float] = {}
        self._looks: dict[Path, asyncio.Future[float]] = {}

    async def is_lacking(self) -> bool:
        """Whether there is too little for anything new; admins hear of it.

        Raises:
            RedisError: there was no answer.
        """
        lack = await self.lack()
        if lack:
            log.error("no room: %s", lack)
            if self._alerts:
                await self._alerts.tell(Alert.NO_ROOM, lack=lack)
        return bool(lack)

    async def lack(self) -> str:
        """Return what there is too little of, in words for the log; nothing if there is room.

        Raises:
            RedisError: there was no answer.
        """
        if time.monotonic() - self._found_at < self._fresh:
            return ""
        lack = await self._look()
        if not lack:
            self._found_at = time.monotonic()
        return lack

    async def _look(self) -> str:
        memory = await self._redis.info("memory")
        most, used = int(memory["maxmemory"]), int(memory["used_memory"])
        if most and used >= MEMORY_MOST * most:
            return f"Redis' memory: {used >> 20} of {most >> 20} MB are used"
        for path in self._disks:
            if (share := await self._share(path)) < DISK_LEAST:
                return f"the disk of {path}: {share:.1%} are free"
        return ""

    async def _share(self, path: Path) -> float:
        """Return the last known share; a server of pictures that stands still is asked once, and not waited for."""
        look = self._looks.get(path)
        if look is None:
            look = self._looks[path] = asyncio.ensure_future(asyncio.to_thread(self._free, path))
        await asyncio.wait({look}, timeout=0.5)
        if look.done():
            self._looks.pop(path, None)  # who asked at the same time has done so
            if error := look.exception():
                log.warning("%s: %s", path, error)
            else:
                self._shares[path] = look.result()
        return self._shares.get(path, 1.0)
