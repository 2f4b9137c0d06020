"""``ExecStopPost=`` of a worker's unit: put back at once what a worker held that did not end well.

The worker itself would do so when it is up again, seconds later on a slow machine; this is there in a fraction of
one, since it imports next to nothing: Redis' protocol comes from hiredis, without redis-py. Whatever goes wrong here
is said, and left to the worker.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis

from app.core import redis_keys
from app.core.queue_names import QUEUES
from app.worker.put_back import AT_WORK_FIELD, CRASHES_FIELD, PUT_BACK, put_back_keys

TIMEOUT = 3.0
"""Seconds that Redis has for each answer."""
_FILE = "redis_password"
EXIT_CONFIG = "78"
"""Status of a worker that refused to start, perhaps since another of its name lives: it held nothing."""


class Connection:
    """A connection to Redis, one command at a time."""

    def __init__(self, url: str, username: str, password: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "redis":
            raise ValueError(f"{parts.scheme}: is not spoken here")
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), TIMEOUT)
        self._reader = hiredis.Reader(encoding="utf-8")
        username, password = username or unquote(parts.username or ""), password or unquote(parts.password or "")
        if password:
            self.command("AUTH", *([username] if username else []), password)
        if database := parts.path.strip("/"):
            self.command("SELECT", database)

    def command(self, *words: str | int) -> Any:
        """Send a command and return its answer.

        Raises:
            OSError, hiredis.HiredisError: there is none, or it is an error.
        """
        self._socket.sendall(hiredis.pack_command(words))  # type: ignore[arg-type]  # its stub knows one word only
        while (answer := self._reader.gets()) is False:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("the connection was closed")
            self._reader.feed(data)
        if isinstance(answer, hiredis.ReplyError):
            raise answer
        return answer


def put_back(redis: Connection, worker_name: str) -> list[str]:
    """Put the jobs back that a worker's name holds, at the heads of their queues; return their ids."""
    own = redis.command("SMEMBERS", redis_keys.rq_worker_executions(worker_name))
    back: list[str] = []
    for queue in QUEUES if own else ():
        keys = put_back_keys(queue)
        pairs = [part for execution in own for part in (execution, "")]
        back += redis.command("EVAL", PUT_BACK, len(keys), *keys, CRASHES_FIELD, AT_WORK_FIELD, *pairs)
    return back


def main() -> None:
    """Do so, unless systemd says that the worker ended well, or never began."""
    if os.environ.get("SERVICE_RESULT") == "success" or os.environ.get("EXIT_STATUS") == EXIT_CONFIG:
        return
    name = os.environ["IMAGEBOT_WORKER_NAME"]
    try:
        redis = Connection(
            os.environ.get("IMAGEBOT_QUEUE_REDIS_URL", "redis://127.0.0.1:6379/0"),
            os.environ.get("IMAGEBOT_REDIS_USERNAME", ""),
            _password(),
        )
        back = put_back(redis, name)
    except (OSError, ValueError, hiredis.HiredisError) as error:
        sys.stderr.write(f"{name} will see itself to what it held: {type(error).__name__}: {error}\n")
        return
    if back:
        sys.stderr.write(f"put back {len(back)} jobs that {name} left behind\n")


def leave_password(password: str) -> None:
    """Leave the password of Redis where ``main`` finds it: systemd gives ``ExecStopPost=`` no credentials.

    The unit's runtime directory lies in memory, is this user's alone, and is gone after ``ExecStopPost=``.
    """
    if directory := os.environ.get("RUNTIME_DIRECTORY"):
        file = Path(directory) / _FILE
        file.touch(mode=0o600)
        file.write_text(password)


def _password() -> str:
    file = Path(os.environ.get("RUNTIME_DIRECTORY", "/nonexistent")) / _FILE
    return file.read_text() if file.is_file() else ""


if __name__ == "__main__":
    main()
