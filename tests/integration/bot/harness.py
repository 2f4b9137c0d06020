"""The bot's process, its Redis servers, and the worker's side of a request."""

import asyncio
import io
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, cast

from PIL import Image
from redis.asyncio import Redis as AsyncRedis

from app.bot import __main__ as entry
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.media import MediaStore
from app.core.requests import FalRequest, Lease, RequestStore
from tests.hostile import egress
from tests.simulators.client import Simulator
from tests.support import shipped
from tests.support.inventory import VAULT
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

TOKEN = str(VAULT["telegram_token"])
REPOSITORY = Path(__file__).parents[3]


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["app.bot.__main__"])
"""Importing aiogram takes seconds of CPU: one process does it, and the bots of all tests are forked from that one."""


def be_the_bot(environment: dict[str, str], log: Path) -> None:
    """Do what ``python -m app.bot`` does, in an environment of its own."""
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    egress.watch(Path(environment["TEST_EGRESS"]))
    sys.exit(entry.main())


class BotProcess:
    """The bot's process with what it writes to its log."""

    def __init__(self, directory: Path, **settings: str) -> None:
        """Start it; ``settings`` (names without the prefix) may be changed before the next start.

        All others are as the role has them.
        """
        self.settings = settings
        self._log = directory / "bot.log"
        self._credentials = directory / "credentials"
        self._state = directory / "state"
        self.egress = directory / "egress"
        """What its process sent, and to whom (``tests/hostile/egress.py``)."""
        self.start()

    def start(self, **environment: str) -> None:
        """Start, without waiting for anything; ``environment`` comes on top for this start."""
        given = {f"{shipped.PREFIX}{name.upper()}": value for name, value in self.settings.items()}
        settings = shipped.environment("bot", self._credentials, given)
        self._state.mkdir(exist_ok=True)
        whole = {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(self._state), **settings, **environment}
        whole["TEST_EGRESS"] = str(self.egress)
        self._log.touch()
        self._process = FORKS.Process(target=be_the_bot, args=(whole, self._log), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        """The process' id."""
        assert self._process.pid is not None
        return self._process.pid

    def log(self) -> str:
        """Everything written so far."""
        return self._log.read_text()

    def until_logged(self, text: str, times: int = 1) -> None:
        """Wait for a piece of text in the log."""
        wait_until(lambda: self.log().count(text) >= times, f"{text!r} in the log")

    def signal(self, number: int) -> None:
        """Send a signal that does not end it: SIGSTOP, SIGCONT."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.join()

    def terminate(self) -> int:
        """SIGTERM; return the exit status."""
        self.tell_to_end()
        return self.exit_status(20)

    def tell_to_end(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def exit_status(self, seconds: float = 60) -> int:
        """Wait for its end."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"it runs on after {seconds:.0f} s"
        return self._process.exitcode


class Person:
    """Someone in Telegram."""

    def __init__(self, telegram: Simulator, user_id: int, language: str = "en") -> None:
        self._telegram = telegram
        self.id = user_id
        self._path = f"/person/{user_id}"
        self._language = language

    def say(self, text: str) -> int:
        """Write to the bot."""
        answer = self._telegram.post(f"{self._path}/send", text=text, language_code=self._language)
        return int(answer["message_ids"][0])

    def press(self, message: dict[str, Any], text: str) -> None:
        """Press the button with this text below a message of the bot."""
        buttons = [button for row in message["buttons"] for button in row]
        [data] = [button["callback_data"] for button in buttons if button["text"] == text]
        self._telegram.post(f"{self._path}/press", message_id=message["message_id"], data=data)

    def forge(self, message_id: int, data: str) -> None:
        """Press a button that is not there."""
        self._telegram.post(f"{self._path}/press", message_id=message_id, data=data, forged=True)

    def waits_for_answer(self, part: str) -> None:
        """Wait until a pressed button is answered so."""
        wait_until(lambda: any(part in text for text in self.answers()), f"a button is answered with {part!r}")

    def answers(self) -> list[str]:
        """What pressed buttons were answered with; empty texts too."""
        return [answer.get("text") or "" for answer in self._chat()["answers"]]

    def waits_for_message(self, having: str) -> dict[str, Any]:
        """Wait until the bot has sent a ``photo``, ``document`` or ``text``, and give the last."""
        found = wait_until(lambda: [message for message in self.seen() if message[having]], f"a {having}")
        return cast(dict[str, Any], found[-1])

    def waits_for_edit(self) -> None:
        """Wait until the bot has changed a message."""
        wait_until(lambda: any(message["edited"] for message in self.seen()), "a message is changed")

    def post(self, action: str) -> None:
        """Do something else, such as ``block``."""
        self._telegram.post(f"{self._path}/{action}")

    def seen(self) -> list[dict[str, Any]]:
        """What the bot has said and not taken back."""
        return [message for message in self._chat()["messages"] if message["from_bot"] and not message["deleted"]]

    def _chat(self) -> dict[str, Any]:
        return cast(dict[str, Any], self._telegram.get(f"{self._path}/chat", after=0))

    def texts(self) -> list[str]:
        """The texts among it."""
        return [message["text"] for message in self.seen() if message["text"]]

    def pictures(self) -> list[bytes]:
        """The pictures among it, whether photos or documents."""
        ids = [message["photo"] or message["document"] for message in self.seen()]
        files = [found if isinstance(found, str) else found["file_id"] for found in ids if found]
        return [self._telegram.http.get(f"{self._path}/file/{file}").raise_for_status().content for file in files]

    def waits_for_text(self, part: str) -> str:
        """Wait until the bot says something."""
        answer = wait_until(
            lambda: next((text for text in self.texts() if part in text), None), f"the bot says {part!r}"
        )
        return str(answer)

    def waits_for_message_with(self, part: str) -> dict[str, Any]:
        """Wait until the bot says something, and give the whole message."""
        self.waits_for_text(part)
        return next(message for message in reversed(self.seen()) if part in (message["text"] or ""))

    def waits_for_pictures(self, count: int) -> None:
        """Wait until so many pictures have come."""
        wait_until(lambda: len(self.pictures()) >= count, f"{count} pictures")


class Worker:
    """The worker's side: makes requests go on as it would."""

    def __init__(self, redis: RedisServer, media_url: str) -> None:
        self._redis = redis
        self._media_url = media_url

    def queued(self, person: Person) -> list[str]:
        """The ids of a person's queued requests, oldest first."""
        return asyncio.run(self._queued(person.id))

    def waits_for_request(self, person: Person) -> str:
        """Wait until a person's request is queued, and give its id."""
        return str(wait_until(lambda: self.queued(person), f"a queued request of {person.id}")[0])

    def submit(self, request_id: str) -> None:
        """Fal has taken the request."""
        asyncio.run(self._submit(request_id))

    def draw(self, request_id: str, *pictures: bytes) -> None:
        """Store pictures and end the request well."""
        asyncio.run(self._draw(request_id, pictures))

    def fail(self, request_id: str, reason: FailureReason) -> None:
        """End the request with a reason."""
        asyncio.run(self._fail(request_id, reason))

    async def _queued(self, user_id: int) -> list[str]:
        async with AsyncRedis.from_url(self._redis.url, decode_responses=True) as redis:
            jobs = await cast(Awaitable[list[str]], redis.lrange("rq:queue:img_queue", 0, -1))
            records = [await RequestStore(redis).load(job) for job in jobs]
            return [record.request.id for record in records if record and record.request.user_id == user_id]

    async def _submit(self, request_id: str) -> None:
        async with AsyncRedis.from_url(self._redis.url, decode_responses=True) as redis:
            store, lease = RequestStore(redis), await _lease(redis, request_id)
            await redis.lrem("rq:queue:img_queue", 0, request_id)
            await store.begin_submit(request_id, lease, 1)
            await store.mark_submitted(request_id, FalRequest("f", "s", "r", "c", "e", time.time()))

    async def _draw(self, request_id: str, pictures: Sequence[bytes]) -> None:
        await self._submit(request_id)
        keys = tuple(f"{request_id}-{number}.jpg" for number in range(len(pictures)))
        for key, picture in zip(keys, pictures, strict=True):
            await MediaStore(self._media_url).put(key, picture)
        async with AsyncRedis.from_url(self._redis.url, decode_responses=True) as redis:
            store, lease = RequestStore(redis), await _lease(redis, request_id)
            await store.mark_stored(request_id, lease, keys)
            await store.mark_done(request_id, lease)

    async def _fail(self, request_id: str, reason: FailureReason) -> None:
        async with AsyncRedis.from_url(self._redis.url, decode_responses=True) as redis:
            await RequestStore(redis).fail(request_id, reason)


async def _lease(redis: AsyncRedis, request_id: str) -> Lease:
    lease = Lease(redis_keys.leases("img_queue"), f"{request_id}:test")
    await redis.zadd(lease.key, {lease.execution: time.time() + 600})
    return lease


def picture(width: int = 64, height: int = 48, colour: str = "orange") -> bytes:
    """A JPEG."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()
