"""A worker's name is its own: what it holds is found by the name, so two of one name would take each other's jobs."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from app.core import redis_keys
from app.core.errors import ConfigurationError
from app.core.redis_lock import RedisLock

LOOK_EVERY: Final = 0.25
"""Seconds between two looks at whether a holder on another machine still renews its claim."""


class NameClaim:
    """The claim to a name; it lapses ``lifetime`` seconds after its last renewal (a client that answers bytes)."""

    def __init__(self, redis: Redis, name: str, lifetime: float) -> None:
        self._redis = redis
        self._name = name
        self._key = redis_keys.worker_name(name)
        self._lifetime_ms = int(lifetime * 1000)
        self._machine = _machine()
        self._holder = f"{self._machine} {os.getpid()} {_started(os.getpid())}"
        self._lock = RedisLock(redis, self._key, self._holder, lifetime)
        self._one_at_a_time = asyncio.Lock()  # a renewal on its way would outlive the release
        self._released = False

    async def take(self) -> None:
        """Claim the name; that of a process of this machine that is dead at once, else when its claim lapses.

        Raises:
            ConfigurationError: another worker of this name is alive.
        """
        left, dead = 2 * self._lifetime_ms, ""
        while (holder := await self._lock.acquire(instead_of=dead)) != self._holder:
            machine, pid, started = holder.rsplit(" ", 2)
            if machine == self._machine and _started(int(pid)) != started:
                dead = holder
                continue
            now_left = int(await self._redis.pttl(self._key))
            if machine == self._machine or now_left > left - 500 * LOOK_EVERY:  # it should have shrunk by twice that
                where = "this machine" if machine == self._machine else f"another machine ({machine})"
                raise ConfigurationError(
                    f"IMAGEBOT_WORKER_NAME: a worker named {self._name} is alive on {where}, process {pid}: "
                    "give each worker a name of its own"
                )
            left = now_left
            await asyncio.sleep(LOOK_EVERY)

    async def renew(self) -> None:
        """Hold the name for another lifetime, unless it has been given up."""
        async with self._one_at_a_time:
            if not self._released:
                await self._lock.acquire()

    async def release(self) -> None:
        """Give the name up."""
        async with self._one_at_a_time:
            self._released = True
            await self._lock.release()


def _machine() -> str:
    """Name the place in which a process id means one process: the machine and, in a container, the container."""
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{machine or socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}".replace(" ", "-")


def _started(pid: int) -> str:
    """Return when a process began (ticks since the boot), '' if there is none: ids are given again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""
