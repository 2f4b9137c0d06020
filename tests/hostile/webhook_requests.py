"""What strangers, or a broken proxy, may write to the webhook's connection: bytes by name, and what they get."""

import gzip
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from app.bot.updates.webhook import BODY_MAX, SECRET_HEADER
from tests.hostile import updates

SECRET: Final = "a-secret-of-webhook-tests"
START: Final = b"POST /telegram HTTP/1.1\r\nHost: bot\r\n"
UPDATE: Final = b'{"update_id": 7}'


def _named(secret: str = SECRET) -> bytes:
    return f"{SECRET_HEADER}: {secret}\r\n".encode("latin-1")


def request(body: bytes, *headers: bytes, secret: str = SECRET) -> bytes:
    """A whole request."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return START + _named(secret) + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


HALVES: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "half a line": START[:9],
    "HTTP/0.9": b"GET /\r\n",
    "half of the headers": START + b"X-Long: ",
    "headers without a body": START + _named() + b"Content-Length: 100\r\n\r\n",
    "half of the body": START + _named() + b'Content-Length: 100\r\n\r\n{"update_id": 7,',
    "a length of 2^60": START + _named() + b"Content-Length: 1152921504606846976\r\n\r\n{",
    "half of a chunk": START + _named() + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{",
    "a chunk without a next one": START + _named() + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
}
"""Requests that are never ended: closed after a while."""

REFUSED: Final[Mapping[str, Callable[[], bytes]]] = {
    **{f"a body: {name}": partial(request, body) for name, body in updates.BODIES.items()},
    "no secret": lambda: START + b"Content-Length: 16\r\n\r\n" + UPDATE,
    "an empty secret": lambda: request(UPDATE, secret=""),
    "another secret": lambda: request(UPDATE, secret="another-secret-of-webhook"),
    "half of the secret": lambda: request(UPDATE, secret=SECRET[:-1]),
    "the secret and more": lambda: request(UPDATE, secret=SECRET + "x"),
    "a secret of no ASCII": lambda: request(UPDATE, secret="\xff\xfe"),
    "a secret of 8,000 letters": lambda: request(UPDATE, secret="x" * 8000),
    "headers without end": lambda: START + b"X-More: x\r\n" * 100_000,
    "a header of a megabyte": lambda: START + b"X-Long: " + b"x" * (1 << 20),
    "gzip": lambda: request(gzip.compress(UPDATE), b"Content-Encoding: gzip"),
    "a bomb of gzip": lambda: request(gzip.compress(bytes(64 << 20)), b"Content-Encoding: gzip"),
    "gzip in gzip": lambda: request(gzip.compress(gzip.compress(UPDATE)), b"Content-Encoding: gzip, gzip"),
    "gzip that is none": lambda: request(b"\x1f\x8bnonsense", b"Content-Encoding: gzip"),
    "an encoding of no name": lambda: request(UPDATE, b"Content-Encoding: x"),
    "a body that is too large": lambda: request(b" " * (BODY_MAX + 1)),
    "a length below zero": lambda: START + _named() + b"Content-Length: -1\r\n\r\n" + UPDATE,
    "a length of 5,000 digits": lambda: START + _named() + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "two lengths": lambda: START + _named() + b"Content-Length: 16\r\nContent-Length: 2\r\n\r\n" + UPDATE,
    "a length and chunks": lambda: START + _named()
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + UPDATE + b"\r\n0\r\n\r\n",
    "a chunk of no size": lambda: START + _named() + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "chunks for ever": lambda: START + _named() + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1\r\n \r\n" * (BODY_MAX + 9),
    "no HTTP": lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "another method": lambda: b"GET /telegram HTTP/1.1\r\nHost: bot\r\n\r\n",
    "a method of no name": lambda: b"X" * 100 + b" / HTTP/1.1\r\nHost: bot\r\n\r\n",
    "another place with zero bytes": lambda: b"POST /\0/../../etc HTTP/1.1\r\nHost: bot\r\n\r\n",
}  # fmt: skip
"""Requests that are ended, and refused or closed: none of them is kept."""
