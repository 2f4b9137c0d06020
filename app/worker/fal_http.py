"""HTTP with fal: every answer of fal's comes through here, and none is believed to be reasonable.

A client from ``client`` asks for bodies as they are and refuses encoded ones (a bomb of gzip passes every limit of
bytes), reads no more than it was told, follows no redirect and keeps no cookie. ``call`` sets a deadline over a whole
call.
"""

import asyncio
from collections.abc import AsyncIterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx

from app.core.errors import ImagebotError

ANSWER_MAX: Final = 4 * 1024 * 1024
"""Bytes of an answer that is no file."""
CALL_SECONDS: Final = 45.0
"""Seconds for a whole call, whatever comes meanwhile. No connection is waited for so long, so a call that has taken
that long was sent."""
FILE_SECONDS: Final = 120.0
"""The same for a file, one way or the other."""

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, pool=15.0)
# Idle connections go before servers drop them: a submit on one that is just being closed has an unknown outcome.
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=20)
_DIGITS_MAX: Final = 20
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class AnswerRefusedError(ImagebotError, httpx.RequestError):
    """An answer of a kind that is not read: too long, or encoded."""


class NoAnswerError(ImagebotError):
    """A call got no answer that could be read; ``sent``: it may have been heard all the same."""

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent


class _Bounded(httpx.AsyncByteStream):
    """A body that breaks off once it is longer than allowed."""

    def __init__(self, body: httpx.AsyncByteStream, most: int) -> None:
        self._body = body
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._body:
            self._left -= len(part)
            if self._left < 0:
                raise AnswerRefusedError("larger than is accepted")
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


class BoundedTransport(httpx.AsyncBaseTransport):
    """Another transport with bounds on what its answers may be."""

    def __init__(self, transport: httpx.AsyncBaseTransport, most: int) -> None:
        """``most``: bytes of a body."""
        self._transport = transport
        self._most = most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            AnswerRefusedError: the answer is encoded, or says that it is too long.
        """
        request.headers["Accept-Encoding"] = "identity"
        response = await self._transport.handle_async_request(request)
        length = response.headers.get("Content-Length", "")
        if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            await response.aclose()
            raise AnswerRefusedError("encoded")
        if length.isdecimal() and (len(length) > _DIGITS_MAX or int(length) > self._most):
            await response.aclose()
            raise AnswerRefusedError("larger than is accepted")
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Bounded(response.stream, self._most)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def client(
    most: int = ANSWER_MAX, *, http2: bool = False, transport: httpx.AsyncBaseTransport | None = None, **options: Any
) -> httpx.AsyncClient:
    """Return a client whose answers have ``most`` bytes at most. ``transport``: how it sends, if not as usual."""
    return httpx.AsyncClient(
        transport=BoundedTransport(transport or httpx.AsyncHTTPTransport(http2=http2, limits=_LIMITS), most),
        timeout=_TIMEOUT,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        **options,
    )


async def call(
    client: httpx.AsyncClient, method: str, url: str | httpx.URL, *, seconds: float | None = None, **options: Any
) -> httpx.Response:
    """Make a call and read its answer whole, within ``seconds`` (``CALL_SECONDS``).

    Raises:
        NoAnswerError: there was none in time, or none that is accepted.
    """
    try:
        async with asyncio.timeout(CALL_SECONDS if seconds is None else seconds):
            return await client.request(method, url, **options)
    except AnswerRefusedError as error:
        raise NoAnswerError(str(error), sent=True) from error
    except _UNSENT as error:
        raise NoAnswerError(type(error).__name__, sent=False) from error
    except (httpx.RequestError, TimeoutError, ValueError) as error:  # ValueError: a header or URL that is none
        raise NoAnswerError(type(error).__name__, sent=True) from error
