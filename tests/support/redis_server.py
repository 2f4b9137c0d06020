"""A Redis server of a test's own, set up as the redis role sets up an instance."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support import shipped
from tests.support.waiting import wait_until

PROGRAMS = ("bot", "worker")
"""Users of Redis that our programs log in as."""


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


def denials(client: Redis) -> list[str]:
    """Return what Redis has refused to our programs since its start, in words."""
    return [
        f"{entry['username']}: {entry['reason']} {entry['object']} ({entry['count']} times)"
        for entry in cast(list[dict[str, Any]], client.acl_log())
        if entry["username"] in PROGRAMS and entry["reason"] != "auth"
    ]


class RedisServer:
    """Runs from the start; may be stopped or killed and started again, and keeps what it holds (AOF)."""

    def __init__(self, directory: Path, instance: shipped.Instance = "queue", **special: str) -> None:
        """``special`` holds directives that differ from the role's (``_`` for ``-``)."""
        directory.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.address = shipped.address(self.port)
        """For the settings of a program."""
        self.url = shipped.url(self.port)
        """For a client of the test's own."""
        self.client = Redis.from_url(self.url, decode_responses=True)
        mine = {name.replace("_", "-"): arguments for name, arguments in special.items()}
        configuration = shipped.write_redis(directory, instance, self.port, mine)
        self._command = [str(link_redis_server(directory)), str(configuration)]
        self.start()

    def start(self) -> None:
        """Start, and wait for an answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, "Redis answers")

    def _answers(self) -> bool:
        assert self._process.poll() is None, f"Redis ended with status {self._process.returncode}"
        try:
            return bool(self.client.ping())
        except RedisConnectionError:  # BusyLoadingError is one of them
            return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; wait for the end if it is a deadly one."""
        self._process.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(20)
            self.client.connection_pool.disconnect()

    def stop(self) -> None:
        """End it."""
        self.kill(signal.SIGTERM)

    def assert_nothing_was_denied(self) -> None:
        """Fail if our programs have tried what the role does not let them do."""
        assert denials(self.client) == []
