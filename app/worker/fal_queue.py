"""fal's queue API over shared httpx clients: submit, status, result, cancel, fetch.

Why not fal-client: it repeats a submit after a read timeout (a second bill), polls ten times a second, and can't
share a connection pool. It serves for uploads (``app/worker/fal_uploads.py``).
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any, Final

import httpx

from app.core.errors import FailureReason, RequestFailedError
from app.core.pause import plain_words
from app.core.requests import FalRequest
from app.worker import fal_answers, fal_http
from app.worker.fal_answers import SubmitOutcomeUnknownError
from app.worker.fal_http import NoAnswerError
from app.worker.fal_shapes import Accepted, FalStatus, Result, Status
from app.worker.retry_policy import DoubtfulError, TransientError

PICTURE_MAX_BYTES: Final = 50 * 1024 * 1024
"""Bytes of one result that are accepted."""
_HTTPS_PORT: Final = 443
_LIFECYCLE: Final = "X-Fal-Object-Lifecycle-Preference"
"""See fal.ai/docs, "Data Retention & Storage"."""


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
        keep_seconds: int = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``keep_seconds``: how long fal keeps what it draws, 0 for as long as it likes; ``transport``: how requests
        are sent, if not as usual."""
        self._queue_url = httpx.URL(queue_url)
        self._media_hosts = media_hosts

        own: dict[str, Any] = {"base_url": self._queue_url, "headers": {"Authorization": f"Key {key}"}}
        # A connection of HTTP/2 is shared: its end, or a cancelled neighbour, breaks requests that the server has
        # taken (encode/httpcore#730). A submit is worth a connection of its own.
        self._submits = fal_http.client(transport=transport, **own)
        if keep_seconds:
            self._submits.headers[_LIFECYCLE] = json.dumps({"expiration_duration_seconds": keep_seconds})
        self._api = fal_http.client(http2=True, transport=transport, **own)
        # Results are public files of another host: the key is not sent there.
        self._files = fal_http.client(PICTURE_MAX_BYTES, http2=True, transport=transport)

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
            response = await fal_http.call(
                self._submits, "POST", f"/{endpoint}", json=dict(payload), extensions={"trace": trace}
            )
        except NoAnswerError as error:
            if error.sent:
                raise SubmitOutcomeUnknownError(f"submit: {error}") from error
            raise TransientError(f"submit: {error}") from error
        fal_answers.check_submit(response)
        try:
            said = Accepted.model_validate_json(response.content)
        except ValueError:
            raise SubmitOutcomeUnknownError("submit: unreadable answer") from None
        return FalRequest(
            request_id=said.request_id,
            status_url=self._own(said.status_url),
            response_url=self._own(said.response_url),
            cancel_url=self._own(said.cancel_url),
            endpoint=endpoint,
            submitted_at=time.time(),
        )

    async def status(self, request: FalRequest) -> FalProgress:
        """Ask how far a request is.

        Raises:
            DoubtfulError: fal does not know the request, it says.
            TransientError: ask again later.
        """
        response = await self._get(request.status_url, "status")
        fal_answers.check_status(response)
        try:
            said = Status.model_validate_json(response.content)
        except ValueError:
            raise TransientError("status: unreadable answer") from None
        return FalProgress(said.status, said.metrics.inference_time if said.metrics else None)

    async def result(self, request: FalRequest) -> Result:
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
            return Result.model_validate_json(response.content)
        except ValueError:
            raise DoubtfulError("result: unreadable answer") from None

    async def cancel(self, request: FalRequest) -> None:
        """Ask fal to drop a request; a running one may complete all the same.

        Raises:
            TransientError: fal did not hear it.
        """
        try:
            response = await fal_http.call(self._api, "PUT", request.cancel_url)
        except NoAnswerError as error:
            raise TransientError(f"cancel: {error}") from error
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
        if not self._is_allowed(target):
            raise RequestFailedError(
                FailureReason.INTERNAL, f"a result at a place that is not allowed: {plain_words(_origin(target))}"
            )
        try:
            response = await fal_http.call(self._files, "GET", target, seconds=fal_http.FILE_SECONDS)
        except NoAnswerError as error:
            if isinstance(error.__cause__, fal_http.AnswerRefusedError):
                raise RequestFailedError(FailureReason.INTERNAL, f"a result {error}") from error
            raise TransientError(f"fetch: {error}") from error
        fal_answers.check_file(response)
        return response.content

    async def _get(self, url: str, what: str) -> httpx.Response:
        try:
            return await fal_http.call(self._api, "GET", url)
        except NoAnswerError as error:
            raise TransientError(f"{what}: {error}") from error

    def _is_allowed(self, target: httpx.URL) -> bool:
        """Tell whether a result may be fetched: a known host, and TLS at its usual port or the queue's own origin."""
        usual = target.scheme == "https" and (target.port or _HTTPS_PORT) == _HTTPS_PORT
        own = _origin(target) == _origin(self._queue_url)
        known = any(fnmatch(target.host, host) for host in self._media_hosts)
        return known and (usual or own) and not target.userinfo

    def _own(self, url: str) -> str:
        """Return a URL that fal answered with, if the key may be sent there."""
        target = self._parsed(url)
        if _origin(target) != _origin(self._queue_url) or target.userinfo:
            raise RequestFailedError(
                FailureReason.INTERNAL, f"fal answered with a URL on {plain_words(_origin(target))}"
            )
        return url

    @staticmethod
    def _parsed(url: str) -> httpx.URL:
        try:
            return httpx.URL(url)
        except httpx.InvalidURL:
            raise RequestFailedError(FailureReason.INTERNAL, "fal answered with what is no URL") from None


def _origin(url: httpx.URL) -> str:
    """Where a URL leads, without the way there (and without a name and password, which are none of ours)."""
    return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
