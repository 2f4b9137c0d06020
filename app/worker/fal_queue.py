"""fal's queue API over shared httpx clients: submit, status, result, cancel, fetch.

Why not fal-client: it repeats a submit after a read timeout (a second bill), polls ten times a second, and can't
share a connection pool. It serves for uploads (``app/worker/fal_uploads.py``).
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from typing import Any, Final

import httpx

from app.core.errors import FailureReason, RequestFailedError
from app.core.requests import FalRequest
from app.worker import fal_answers
from app.worker.fal_answers import UNREADABLE, SubmitOutcomeUnknownError
from app.worker.patience import DoubtfulError, TransientError

PICTURE_MAX_BYTES: Final = 50 * 1024 * 1024
"""Bytes of one result that are accepted."""

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, pool=None)
# Idle connections go before servers drop them: a submit on one that is just being closed has an unknown outcome.
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=20)
_REQUEST_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class FalStatus(StrEnum):
    """What fal says of a request."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


@dataclass(frozen=True, slots=True)
class FalProgress:
    """An answer to a poll; ``inference_time`` in seconds, once completed."""

    status: FalStatus
    inference_time: float | None = None


class FalQueue:
    """A client of fal's queue API for one process."""

    def __init__(
        self,
        key: str,
        queue_url: str,
        media_hosts: tuple[str, ...],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``transport``: how requests are sent, if not as usual."""
        self._queue_url = httpx.URL(queue_url)
        self._media_hosts = media_hosts

        def client(*, http2: bool, **options: Any) -> httpx.AsyncClient:
            return httpx.AsyncClient(http2=http2, timeout=_TIMEOUT, limits=_LIMITS, transport=transport, **options)

        own: dict[str, Any] = {"base_url": self._queue_url, "headers": {"Authorization": f"Key {key}"}}
        # A connection of HTTP/2 is shared: its end, or a cancelled neighbour, breaks requests that the server has
        # taken (encode/httpcore#730). A submit is worth a connection of its own.
        self._submits = client(http2=False, **own)
        self._api = client(http2=True, **own)
        # Results are public files of another host: the key is not sent there.
        self._files = client(http2=True)

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._submits, self._api, self._files):
            await client.aclose()

    async def submit(
        self, endpoint: str, payload: Mapping[str, Any], about_to_send: Callable[[], None] = lambda: None
    ) -> FalRequest:
        """Hand a request in, once.

        ``about_to_send`` is called once a connection stands, just before anything of the request is sent; if it
        raises, nothing is.

        Raises:
            AccountError, TransientError: fal surely did not take it.
            SubmitOutcomeUnknownError: it was sent, and nothing came that tells what became of it.
            RequestFailedError: fal refused it.
        """

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event == "http11.send_request_headers.started":
                about_to_send()

        try:
            response = await self._submits.post(f"/{endpoint}", json=dict(payload), extensions={"trace": trace})
        except _REQUEST_UNSENT as error:
            raise TransientError(f"submit: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise SubmitOutcomeUnknownError(f"submit: {type(error).__name__}") from error
        fal_answers.check_submit(response)
        try:
            data = response.json()
            urls = {name: self._own(data[name]) for name in ("status_url", "response_url", "cancel_url")}
            return FalRequest(request_id=data["request_id"], endpoint=endpoint, submitted_at=time.time(), **urls)
        except UNREADABLE as error:
            raise SubmitOutcomeUnknownError(f"submit: unreadable answer: {type(error).__name__}") from error

    async def status(self, request: FalRequest) -> FalProgress:
        """Ask how far a request is.

        Raises:
            DoubtfulError: fal does not know the request, it says.
            TransientError: ask again later.
        """
        response = await self._get(request.status_url, "status")
        fal_answers.check_status(response)
        try:
            data = response.json()
            return FalProgress(FalStatus(data["status"]), (data.get("metrics") or {}).get("inference_time"))
        except UNREADABLE as error:
            raise TransientError(f"status: unreadable answer: {type(error).__name__}") from error

    async def result(self, request: FalRequest) -> dict[str, Any]:
        """Return a completed request's result: the model's own answer.

        Raises:
            DoubtfulError: there is none, or none that can be read, it seems.
            TransientError: not to be had now.
            ModelFailedError: the model failed in a way that may pass.
            RequestFailedError: the model refused the input.
        """
        response = await self._get(request.response_url, "result")
        fal_answers.check_result(response)
        try:
            return dict(response.json())
        except UNREADABLE as error:
            raise DoubtfulError(f"result: unreadable answer: {type(error).__name__}") from error

    async def cancel(self, request: FalRequest) -> None:
        """Ask fal to drop a request; a running one may complete all the same.

        Raises:
            TransientError: fal did not hear it.
        """
        try:
            response = await self._api.put(request.cancel_url)
        except httpx.RequestError as error:
            raise TransientError(f"cancel: {type(error).__name__}") from error
        if response.is_server_error or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise TransientError(f"cancel: HTTP {response.status_code}")

    async def fetch(self, url: str) -> bytes:
        """Return a result's bytes, at most ``PICTURE_MAX_BYTES``.

        Raises:
            DoubtfulError: the file is not there, or not for us, it says.
            TransientError: fetch again later.
            RequestFailedError: the host is not allowed, or the file is too large.
        """
        target = self._parsed(url)
        if target.scheme not in {"https", self._queue_url.scheme} or not any(
            fnmatch(target.host, host) for host in self._media_hosts
        ):
            raise RequestFailedError(FailureReason.INTERNAL, f"a result on a host that is not allowed: {target.host}")
        try:
            async with self._files.stream("GET", target) as response:
                fal_answers.check_file(response)
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > PICTURE_MAX_BYTES:
                        raise RequestFailedError(FailureReason.INTERNAL, "a result larger than is accepted")
                return bytes(data)
        except httpx.RequestError as error:
            raise TransientError(f"fetch: {type(error).__name__}") from error

    async def _get(self, url: str, what: str) -> httpx.Response:
        try:
            return await self._api.get(url)
        except httpx.RequestError as error:
            raise TransientError(f"{what}: {type(error).__name__}") from error

    def _own(self, url: str) -> str:
        """Return a URL that fal answered with, if the key may be sent there."""
        target = self._parsed(url)
        if (target.scheme, target.host, target.port) != (
            self._queue_url.scheme,
            self._queue_url.host,
            self._queue_url.port,
        ):
            raise RequestFailedError(FailureReason.INTERNAL, f"fal answered with a URL on {target.host}")
        return url

    @staticmethod
    def _parsed(url: str) -> httpx.URL:
        try:
            return httpx.URL(url)
        except httpx.InvalidURL:
            raise RequestFailedError(FailureReason.INTERNAL, "fal answered with what is no URL") from None
