"""The bot's process, its Redis servers, and the worker's side of a request."""

import asyncio
import io
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, cast

from PIL import Image
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.bot import __main__ as entry
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.media import MediaStore
from app.core.requests import FalRequest, Lease, RequestStore
from tests.simulators.client import Simulator

TOKEN = "4242424242:AAF-imaginary_token-for-tests-0123456789"
REPOSITORY = Path(__file__).parents[3]


def wait_until(true: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Wait until the function gives something true, and give that."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return value


class RedisServer:
    """A Redis server of our own. It may be stopped and started again; what it holds survives (AOF)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis(port=self.port, decode_responses=True)
        self.start()

    def start(self) -> None:
        """Start and wait for an answer."""
        # Debian's server is one program under many names; the name decides what it is.
        program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert program, "no Redis here: apt-get install redis-server"
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory),
             "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            executable=program, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers, "Redis answers")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0 and bool(self.client.ping())

    def stop(self) -> None:
        """End it."""
        self.client.connection_pool.disconnect()
        self._process.terminate()
        self._process.wait(10)


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
    sys.exit(entry.main())


class BotProcess:
    """The bot's process with what it writes to its log."""

    def __init__(self, directory: Path, **settings: str) -> None:
        """Start it; ``settings`` (names without the prefix) may be changed before the next start."""
        self.settings = settings
        self._log = directory / "bot.log"
        self.start()

    def start(self, **environment: str) -> None:
        """Start, without waiting for anything; ``environment`` comes on top for this start."""
        settings = {f"IMAGEBOT_{name.upper()}": value for name, value in self.settings.items()}
        whole = {"PATH": os.environ["PATH"], **settings, **environment}
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
            await store.submitted(request_id, FalRequest("f", "s", "r", "c", "e", time.time()))

    async def _draw(self, request_id: str, pictures: Sequence[bytes]) -> None:
        await self._submit(request_id)
        keys = tuple(f"{request_id}-{number}.jpg" for number in range(len(pictures)))
        for key, picture in zip(keys, pictures, strict=True):
            await MediaStore(self._media_url).put(key, picture)
        async with AsyncRedis.from_url(self._redis.url, decode_responses=True) as redis:
            store, lease = RequestStore(redis), await _lease(redis, request_id)
            await store.stored(request_id, lease, keys)
            await store.done(request_id, lease)

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
