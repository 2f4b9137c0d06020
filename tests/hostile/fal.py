"""A fal that answers each request's calls soundly but for one: which, stands in the prompt (``case:NAME``)."""

import asyncio
import json
import re
import threading
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from tests.hostile import answers, pictures
from tests.hostile.answers import Answer, Place

_BODY_MAX: Final = 64 << 20
_CASE: Final = re.compile(r"case:(.+)")


def request_id_of(case: str) -> str:
    """Fal's id for the request of a case."""
    return f"r{zlib.crc32(case.encode()):08x}"


class Server:
    """HTTP on 127.0.0.1, in a thread of its own; remembers what it was sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str, str]] = []
        """Method, path, and everything that was sent, as text."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, then close: what follows a hostile answer is of no interest."""
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
            body = await reader.readexactly(min(int(length[1]), _BODY_MAX)) if length else b""
            method, path, *_ = head.split(" ")
            self.received.append((method, path, head + body[:100_000].decode("latin-1")))
            async for part in self.answer(method, path, body):
                writer.write(part)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    def answer(self, method: str, path: str, body: bytes) -> AsyncIterator[bytes]:
        """Return the answer to a request: here, that of a host that is not fal's and takes everything."""
        return answers.body(b'{"access_url": "x", "token": "t"}')(Place(self.url, "", "r"))


class HostileFal(Server):
    """Fal's queue, its files and its list of requests, all on one port."""

    def __init__(self, foreign: str) -> None:
        super().__init__()
        self._foreign = foreign
        self._cases = {request_id_of(case): (call, answer) for case, (call, answer) in answers.CASES.items()}
        self._picture = pictures.sound("PNG")

    def answer(self, method: str, path: str, body: bytes) -> AsyncIterator[bytes]:
        """Answer soundly, unless this is the call of the request's case."""
        if path.startswith(("/control/", "/v1/")):  # no list is shown; the tests' own commands mean nothing
            return answers.body(b"{}", 403 if path.startswith("/v1/") else 200)(Place("", "", ""))
        call, request_id = self._call(method, path, body)
        attacked, odd = self._cases.get(request_id, ("", None))
        place = Place(self.url, self._foreign, request_id)
        return odd(place) if odd and attacked == call else self._sound(call)(place)

    def _call(self, method: str, path: str, body: bytes) -> tuple[str, str]:
        if path.startswith("/files/"):
            return "file", path.removeprefix("/files/").partition(".")[0]
        if path.startswith("/requests/"):
            request_id, _, rest = path.removeprefix("/requests/").partition("/")
            return rest.partition("?")[0] or "result", request_id
        found = _CASE.search(str(json.loads(body or b"{}").get("prompt")))
        return "submit", request_id_of(found[1] if found else "")

    def _sound(self, call: str) -> Answer:
        return {
            "submit": answers.says(lambda at: at.accepted()),
            "status": answers.body(b'{"status": "COMPLETED", "metrics": {"inference_time": 0.5}}'),
            "result": answers.says(lambda at: {"images": [{"url": at.file()}]}),
            "file": answers.raw(answers.whole(self._picture, Content_Type="image/png")),
        }.get(call, answers.body(b"{}"))
