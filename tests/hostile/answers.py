"""Answers that fal's API should never give: ``CASES`` by name, each for one call of a request's life.

An answer is what goes over the wire, head and all. ``tests/hostile/fal.py`` serves them.
"""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.hostile import pictures

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where fal is while it answers: its own address, another host's, and the id of the request it is about."""

    own: str
    foreign: str
    request_id: str

    def accepted(self, **odd: Any) -> JSON:
        """A sound answer to a submit, but for some fields."""
        url = f"{self.own}/requests/{self.request_id}"
        urls = {"status_url": f"{url}/status", "response_url": url, "cancel_url": f"{url}/cancel"}
        return {"request_id": self.request_id, **urls, **odd}

    def file(self) -> str:
        """The address of the request's picture."""
        return f"{self.own}/files/{self.request_id}.png"


Answer = Callable[[Place], AsyncIterator[bytes]]
Say = Callable[[Place], Any]


# -- answers of every kind -------------------------------------------------------------------------------------------


def head(status: int = 200, **headers: str) -> bytes:
    """The first line and the headers of an answer."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, "", ""]).encode("latin-1")


def whole(body: bytes, status: int = 200, **headers: str) -> bytes:
    """An answer with a body of a known length."""
    return head(status, **{"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}) + body


def raw(data: bytes) -> Answer:
    """These bytes."""

    async def answer(_: Place) -> AsyncIterator[bytes]:
        yield data

    return answer


def says(say: Say, status: int = 200, **headers: str) -> Answer:
    """JSON, by where we are."""

    async def answer(place: Place) -> AsyncIterator[bytes]:
        yield whole(json.dumps(say(place)).encode(), status, **headers)

    return answer


def body(data: bytes, status: int = 200, **headers: str) -> Answer:
    """Any body."""
    return raw(whole(data, status, **headers))


def endless(first: bytes, part: bytes, pause: float = 0.0) -> Answer:
    """Something, and then more for ever."""

    async def answer(_: Place) -> AsyncIterator[bytes]:
        yield first
        while True:
            yield part
            await asyncio.sleep(pause)

    return answer


def redirects(status: int, path: str = "/elsewhere") -> Answer:
    """To the foreign host."""

    async def answer(place: Place) -> AsyncIterator[bytes]:
        yield whole(b"{}", status, Location=place.foreign + path, Set_Cookie="a=b; Path=/")

    return answer


_CHUNKED: Final = head(Transfer_Encoding="chunked", Content_Type="application/json")
_MEGABYTE: Final = b" " * (1 << 20)

BODIES: Final[Mapping[str, bytes]] = {
    "lists 100,000 deep": b"[" * 100_000,
    "a status of lists 100,000 deep": b'{"status":' + b"[" * 100_000,
    "objects 1,000 deep": b"{" * 1000,
    "bytes that are no UTF-8": b"\xff\xfe",
    "nothing": b"",
    "null": b"null",
    "a number": b"7",
    "a number of 100,000 digits": b"9" * 100_000,
    "NaN": b"NaN",
    "a list": b"[]",
    "a word": b'"x"',
}
"""Bodies of no known shape."""

ANY_CALL: Final[Mapping[str, Answer]] = {
    **{f"a body: {name}": body(data) for name, data in BODIES.items()},
    "an endless body": endless(_CHUNKED, b"100000\r\n" + _MEGABYTE + b"\r\n"),
    "an endless body of no length": endless(head(Connection="close"), _MEGABYTE),
    "one byte a second": endless(_CHUNKED, b"1\r\n \r\n", 1.0),
    "one byte of the headers a second": endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", 1.0),
    "silence": endless(b"", b"", 1.0),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-More: x\r\n" * 1000),
    "endless informations": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 1000),
    "a bomb of gzip": body(gzip.compress(bytes(64 << 20)), Content_Encoding="gzip"),
    "a bomb in a bomb": body(gzip.compress(gzip.compress(bytes(64 << 20))), Content_Encoding="gzip, gzip"),
    "an encoding of no name": body(b"{}", Content_Encoding="x"),
    "a length of 5,000 digits": raw(head(Content_Length="9" * 5000) + b"{}"),
    "a length below zero": raw(head(Content_Length="-1") + b"{}"),
    "two lengths": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}"),
    "a length that is not kept": raw(head(Content_Length="1000000") + b"{}"),
    "a chunk of 2^64 bytes": raw(_CHUNKED + b"10000000000000000\r\n{}"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nothing at all": raw(b""),
    "a status of 99": raw(b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n"),
    "a redirect for good": redirects(301),
    "a redirect for now": redirects(307),
    "an object of lists 100,000 deep": body(b'{"status":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a charset of no name": body(b"<>", Content_Type="application/json; charset=undefined"),
    "UTF-16": body('{"status": "COMPLETED"'.encode("utf-16"), Content_Type="application/json; charset=utf-16"),
    "no UTF-8": body(b'{"status": "\xff\xfe"}'),
    "half a surrogate pair": body(b'{"status": "\\ud800", "request_id": "\\ud800", "images": "\\ud800"}'),
    "HTML": body(b"<!doctype html><script>", Content_Type="text/html"),
    "an empty object": body(b"{}"),
    "a million keys": body(json.dumps({str(number): 0 for number in range(200_000)}).encode()),
    "the same key many times": body(b"{" + b'"status": 1, ' * 100_000 + b'"status": 2}'),
}
"""What any call may get."""

FORGED: Final = "teapot\nERROR app.worker: all keys are on https://evil.example\x1b[2J\u2028" + "x" * 20_000
"""An error's name that would be a line of the log of its own."""


def _completed(metrics: str) -> Answer:
    return body(f'{{"status": "COMPLETED", "metrics": {metrics}}}'.encode())


def _images(*urls: str) -> Answer:
    return says(lambda _: {"images": [{"url": url} for url in urls]})


SUBMITS: Final[Mapping[str, Answer]] = {
    "an id that is a path": says(lambda at: at.accepted(request_id="../../users")),
    "an id of two lines": says(lambda at: at.accepted(request_id="a\nb")),
    "an id that is a number": says(lambda at: at.accepted(request_id=5)),
    "a status on a foreign host": says(lambda at: at.accepted(status_url=f"{at.foreign}/elsewhere")),
    "a result on a foreign host": says(lambda at: at.accepted(response_url=f"{at.foreign}/elsewhere")),
    "a cancellation on a foreign host": says(lambda at: at.accepted(cancel_url=f"{at.foreign}/elsewhere")),
    "a status with a name before the host": says(
        lambda at: at.accepted(status_url=at.own.replace("//", "//me:you@") + "/x")
    ),
    "a status on a host that begins alike": says(
        lambda at: at.accepted(status_url=f"{at.own}@{at.foreign.removeprefix('http://')}/elsewhere")
    ),
    "a status that is a file": says(lambda at: at.accepted(status_url="file:///etc/passwd")),
    "a status that is no address": says(lambda at: at.accepted(status_url="https://[bad")),
    "a status of 10,000 letters": says(lambda at: at.accepted(status_url="x" * 10_000)),
    "an error of two lines": says(lambda _: {"detail": [{"type": FORGED}]}, 418),
    "an error of two lines in 422": says(lambda _: {"detail": [{"type": FORGED}]}, 422),
    "an error with 100,000 details": says(lambda _: {"detail": [{"type": "x"}] * 100_000}, 422),
    "an error that is a number": says(lambda _: {"detail": 5}, 400),
}
"""Odd answers to a submit."""

STATUSES: Final[Mapping[str, Answer]] = {
    **{
        f"a run of {time} s": _completed(f'{{"inference_time": {time}}}')
        for time in ("Infinity", "-Infinity", "NaN", "-1", "1e400", '"3"', "[]", "true", "9" * 400)
    },
    "metrics that are a list": _completed("[]"),
    "a status of a newer API": body(b'{"status": "ASLEEP"}'),
    "a status that is a number": body(b'{"status": 5}'),
    "a place of 10^400 in the queue": body(b'{"status": "IN_QUEUE", "queue_position": 1' + b"0" * 400 + b"}"),
    "an error of two lines while waiting": says(lambda _: {"detail": [{"type": FORGED}]}, 500),
    "to come again in 10^30 s": body(b"{}", 429, Retry_After="9" * 30),
    "to come again yesterday": body(b"{}", 503, Retry_After="-86400"),
}
"""Odd answers to a poll."""

RESULTS: Final[Mapping[str, Answer]] = {
    "images: 5": body(b'{"images": 5}'),
    "images that are words": body(b'{"images": ["x", "y"]}'),
    "images of nothing": body(b'{"images": [null, {}, 5, []]}'),
    "no images": body(b'{"images": []}'),
    "an image that is a list": body(b'{"image": []}'),
    "a thousand images": says(lambda at: {"images": [{"url": at.file()}] * 1000}),
    "an image on a foreign host": says(lambda at: {"images": [{"url": f"{at.foreign}/elsewhere"}]}),
    "an image on another port": says(lambda at: {"image": {"url": f"{at.foreign}/elsewhere"}}),
    "an image on fal's host by ssh": _images("https://v3.fal.media:22/x.png"),
    "an image in a file": _images("file:///etc/passwd"),
    "an image in itself": _images("data:image/png;base64,AAAA"),
    "an image with a name before the host": _images("https://me:you@v3.fal.media/x.png"),
    "an image of a host that ends alike": _images("https://notfal.media/x.png"),
    "an image of no address": _images("https://[bad", ""),
    "an image of an address of two lines": _images("https://v3.fal.media/\r\nX: y"),
    "an image of metadata": _images("http://169.254.169.254/latest/meta-data/"),
    "a failure of two lines": says(lambda _: {"detail": [{"type": FORGED}]}, 418),
    "a refusal that quotes the wish": says(lambda _: {"detail": [{"type": "x", "input": "SECRETWISH"}]}, 422),
}
"""Odd answers to the call for a result."""


def _picture(make: pictures.Make) -> Answer:
    async def answer(_: Place) -> AsyncIterator[bytes]:
        yield whole(make(), Content_Type="image/png")

    return answer


FILES: Final[Mapping[str, Answer]] = {
    name: _picture(pictures.CASES[name])
    for name in (
        "a JPEG with 4,000 scans", "a JPEG with a million comments", "a WebP of 50 megapixels with transparency",
        "noise that says it is a JPEG", "a zip", "an SVG with a script", "a GIF", "half a JPEG", "half a WebP",
        "a PNG that says 2,147,483,647 by 2,147,483,647", "a PNG that says 0 by 0", "a PNG with bombs for texts",
        "an MPO of 41 pictures", "a moving WebP of 300 frames", "a JPEG with a zip behind it",
    )
}  # fmt: skip
"""Files where a picture is expected."""

CASES: Final[Mapping[str, tuple[str, Answer]]] = {
    **{f"{call}: {name}": (call, answer) for call in ("submit", "status", "result", "file")
       for name, answer in ANY_CALL.items()},
    **{f"submit: {name}": ("submit", answer) for name, answer in SUBMITS.items()},
    **{f"status: {name}": ("status", answer) for name, answer in STATUSES.items()},
    **{f"result: {name}": ("result", answer) for name, answer in RESULTS.items()},
    **{f"file: {name}": ("file", answer) for name, answer in FILES.items()},
}  # fmt: skip
"""Name -> the call that is answered so, and the answer."""


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Spoil JSON in a few places, by what stands in other JSON."""
    pieces = (b"null", b"-1", b"1e999", b"[]", b"{}", b'""', b'"\\ud800"', b"[[[[", b"}", b'"', b"\\", b"\xff", b",",
              b"NaN", b"true", b"9" * 30, b'{"url": "https://evil.example/"}')  # fmt: skip
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(spoiled) + 1)
        spoiled[at : at + chance.choice((0, 1, 1, 4, 12))] = chance.choice(pieces)
    return bytes(spoiled)
