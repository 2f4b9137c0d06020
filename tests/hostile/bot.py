"""The real bot with a webhook, as a target: what it takes, sets aside, and writes to its log."""

import itertools
import json
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx

from app.bot.updates.webhook import SECRET_HEADER
from app.core import redis_keys
from tests.hostile import updates, webhook_requests
from tests.hostile.tally import DefectError, Outcome
from tests.integration.bot.conftest import Scene, make_scene
from tests.integration.bot.harness import TOKEN
from tests.integration.bot.test_modes import webhook_settings
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

JSON = dict[str, Any]
PEOPLE: Final = 200
_PATIENCE: Final = 60.0


class BotUnderAttack:
    """A bot that people know already."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._numbers = itertools.count(1)
        self._seen = 0
        self._host, port = scene.bot.settings["webhook_listen"].rsplit(":", 1)
        self._port = int(port)
        self._http = httpx.Client(base_url=f"http://{self._host}:{self._port}", timeout=_PATIENCE)
        self.people = [scene.person() for _ in range(PEOPLE)]
        for person in self.people:
            person.say("/start")
        for person in self.people:
            person.waits_for_text("I turn words into pictures")

    def gets(self, given: Sequence[JSON]) -> Outcome:
        """Let it get updates, and wait until they are handled."""
        aside = self._aside()
        for update in given:
            body = json.dumps({"update_id": next(self._numbers), **update}).encode()
            answer = self._http.post("/telegram", content=body, headers={SECRET_HEADER: webhook_requests.SECRET})
            if answer.status_code != httpx.codes.OK:
                raise DefectError(f"{answer.status_code} for an update")
        end = time.monotonic() + _PATIENCE
        while self._scene.queue.client.xlen(redis_keys.INBOX):
            if time.monotonic() > end:
                raise DefectError("not handled within a minute")
            time.sleep(0.01)
        self.check_log()
        return "refused" if self._aside() > aside else "accepted"

    def _aside(self) -> int:
        client = self._scene.queue.client
        if not client.exists(redis_keys.INBOX_ASIDE):
            return 0
        told: Any = client.xinfo_stream(redis_keys.INBOX_ASIDE)
        return int(told["entries-added"])

    def check_log(self) -> None:
        """Look through what it has written since the last look.

        Raises:
            DefectError: there is something that must not be.
        """
        new = self._scene.bot.log()[self._seen :]
        self._seen += len(new)
        for bad in ("Traceback", "could not be handled", updates.SECRET_WISH, TOKEN.split(":")[1]):
            if bad in new:
                raise DefectError(f"in the log: {new[max(0, new.index(bad) - 500) :][:3000]}")

    def writes(self, data: bytes) -> Outcome:
        """Let somebody write to the webhook's connection, and wait until it is answered or closed."""
        answer = b""
        with (
            socket.create_connection((self._host, self._port), timeout=300) as connection,
            suppress(ConnectionError),
        ):
            connection.sendall(data)
            while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
                answer += more
        if answer.startswith(b"HTTP/1.1 2") or b" 500 " in answer[:20]:
            raise DefectError(f"answered with {answer[:100]!r}")
        return "refused"

    def serves_others(self) -> None:
        """See to it that somebody else is answered."""
        other = self._scene.person()
        other.say("/help")
        other.waits_for_text("Words alone")
        wait_until(lambda: self._scene.queue.client.zcard(redis_keys.ALBUMS) == 0, "all albums are handled")
        self.check_log()


@contextmanager
def under_attack() -> Iterator[BotUnderAttack]:
    """A bot with everything round it; fails at the end if a secret has gone astray."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        telegram = stack.enter_context(Simulator("telegram", "--token", TOKEN))
        queue, cache = RedisServer(directory / "queue"), RedisServer(directory / "cache", "cache")
        stack.callback(queue.stop)
        stack.callback(cache.stop)
        (directory / "bot").mkdir()
        scene = stack.enter_context(make_scene(directory / "bot", telegram, queue, cache, **webhook_settings()))
        telegram.post("/control/settings", rate_limits=False)
        scene.bot.until_logged("receiving updates")
        yield BotUnderAttack(scene)
