"""The redis-server program, wherever it is."""

import os
import shutil
from pathlib import Path


class NoRedisError(Exception):
    """There is no Redis server on this machine; the message tells the cure."""


def link_redis_server(directory: Path) -> Path:
    """Return a path under ``directory`` that runs the Redis server.

    Debian's redis-tools holds the very binary of redis-server under another name, without the service that the
    redis-server package would start on the machine; which of its parts it plays goes by the name it is called by.
    """
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if program is None:
        raise NoRedisError("no redis-server here: apt-get install redis-tools")
    link = directory / "redis-server"
    temporary = directory / f"redis-server.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(program)
    temporary.replace(link)
    return link


def queue_arguments(directory: Path) -> list[str]:
    """Options of the queue's instance, as the redis role sets them."""
    return ["--dir", str(directory), "--appendonly", "yes", "--appendfsync", "always", "--save", "60 1000",
            "--maxmemory-policy", "noeviction"]  # fmt: skip


def cache_arguments(directory: Path) -> list[str]:
    """Options of the cache's instance, as the redis role sets them but for less memory."""
    return ["--dir", str(directory), "--appendonly", "yes", "--save", "60 1000",
            "--maxmemory", "128mb", "--maxmemory-policy", "allkeys-lru"]  # fmt: skip
