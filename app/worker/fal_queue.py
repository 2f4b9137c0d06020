"""fal's queue API over one shared httpx client: submit, status, result, cancel, fetch.

Why not fal-client: it repeats a submit after a read timeout (a second bill), polls ten times a second, and can't
share a connection pool. It serves for uploads (``app/worker/fal_uploads.py``).
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from http import HTTPStatus
from typing import Any, Final

import httpx

from app.core.errors import FailureReason, ImagebotError, RequestFailedError
from app.core.requests import FalRequest

PICTURE_MAX_BYTES: Final = 50 * 1024 * 1024
"""Bytes of one result that are accepted."""

_TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0, pool=None)
# Idle connections go before servers drop them: a submit on one that is just being closed has an unknown outcome.
_LIMITS: Final = httpx.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=20)
_BAD_INPUT_CODES: Final = frozenset({400, 413, 415, 422})
_PASSING_CODES: Final = frozenset({408, 429, 500, 502, 503, 504})
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)
_REQUEST_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class TransientFalError(ImagebotError):
    """fal did not do what it was asked, and may later; ``retry_after`` in seconds if fal said so."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class ModelFailedError(ImagebotError):
    """The model, or what runs it, failed in a way that may pass: fal repeats this answer, so submit anew."""


class SubmitOutcomeUnknownError(ImagebotError):
    """A submit was sent and no answer came: fal may run, and bill, the request all the same."""


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

    def __init__(self, key: str, queue_url: str, media_hosts: tuple[str, ...]) -> None:
        self._queue_url = httpx.URL(queue_url)
        self._media_hosts = media_hosts
        self._api = httpx.AsyncClient(
            base_url=self._queue_url,
            headers={"Authorization": f"Key {key}"},
            http2=True,
            timeout=_TIMEOUT,
            limits=_LIMITS,
        )
        # Results are public files of another host: the key is not sent there.
        self._files = httpx.AsyncClient(http2=True, timeout=_TIMEOUT, limits=_LIMITS)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()
        await self._files.aclose()

    async def submit(self, endpoint: str, payload: Mapping[str, Any]) -> FalRequest:
        """Hand a request in, once.

        Raises:
            TransientFalError: fal surely did not take it.
            SubmitOutcomeUnknownError: it was sent and no answer came, or none that can be read.
            RequestFailedError: fal refused it.
        """
        try:
            response = await self._api.post(f"/{endpoint}", json=dict(payload))
        except _REQUEST_UNSENT as error:
            raise TransientFalError(f"submit: {type(error).__name__}") from error
        except httpx.RequestError as error:
            raise SubmitOutcomeUnknownError(f"submit: {type(error).__name__}") from error
        if response.status_code in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
            raise SubmitOutcomeUnknownError(f"submit: HTTP {response.status_code}")  # the answer was lost on its way
        self._check(response, "submit")
        try:
            data = response.json()
            urls = {name: self._own(data[name]) for name in ("status_url", "response_url", "cancel_url")}
            return FalRequest(request_id=data["request_id"], endpoint=endpoint, submitted_at=time.time(), **urls)
        except _UNREADABLE as error:
            raise SubmitOutcomeUnknownError(f"submit: unreadable answer: {type(error).__name__}") from error

    async def status(self, request: FalRequest) -> FalProgress:
        """Ask how far a request is.

        Raises:
            TransientFalError: ask again later.
            RequestFailedError: fal does not know the request.
        """
        response = await self._get(request.status_url, "status")
        self._check(response, "status")
        try:
            data = response.json()
            return FalProgress(FalStatus(data["status"]), (data.get("metrics") or {}).get("inference_time"))
        except _UNREADABLE as error:
            raise TransientFalError(f"status: unreadable answer: {type(error).__name__}") from error

    async def result(self, request: FalRequest) -> dict[str, Any]:
        """Return a completed request's result: the model's own answer.

        Raises:
            TransientFalError: not to be had now.
            ModelFailedError: the model failed in a way that may pass.
            RequestFailedError: the model refused the input, or its answer can't be read.
        """
        response = await self._get(request.response_url, "result")
        if response.is_server_error and (kind := _error_type(response)):
            raise ModelFailedError(f"result: HTTP {response.status_code} {kind}")
        self._check(response, "result")
        try:
            return dict(response.json())
        except _UNREADABLE as error:
            raise RequestFailedError(FailureReason.INTERNAL, "result: unreadable answer") from error

    async def cancel(self, request: FalRequest) -> None:
        """Ask fal to drop a request; a running one may complete all the same.

        Raises:
            TransientFalError: fal did not answer.
        """
        try:
            await self._api.put(request.cancel_url)
        except httpx.RequestError as error:
            raise TransientFalError(f"cancel: {type(error).__name__}") from error

    async def fetch(self, url: str) -> bytes:
        """Return a result's bytes, at most ``PICTURE_MAX_BYTES``.

        Raises:
            TransientFalError: fetch again later.
            RequestFailedError: the host is not allowed, or the file is too large or gone.
        """
        target = self._parsed(url)
        if target.scheme not in {"https", self._queue_url.scheme} or not any(
            fnmatch(target.host, host) for host in self._media_hosts
        ):
            raise RequestFailedError(FailureReason.INTERNAL, f"a result on a host that is not allowed: {target.host}")
        try:
            async with self._files.stream("GET", target) as response:
                self._check(response, "fetch")
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > PICTURE_MAX_BYTES:
                        raise RequestFailedError(FailureReason.INTERNAL, "a result larger than is accepted")
                return bytes(data)
        except httpx.RequestError as error:
            raise TransientFalError(f"fetch: {type(error).__name__}") from error

    async def _get(self, url: str, what: str) -> httpx.Response:
        try:
            return await self._api.get(url)
        except httpx.RequestError as error:
            raise TransientFalError(f"{what}: {type(error).__name__}") from error

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

    @staticmethod
    def _check(response: httpx.Response, what: str) -> None:
        """Sort an answer that is no success into an error. Never quotes the body: it echoes the prompt."""
        code = response.status_code
        if response.is_success:
            return
        kind = _error_type(response)
        detail = f"{what}: HTTP {code} {kind}".rstrip()
        if code == HTTPStatus.FORBIDDEN and "exhausted balance" in _text(response).lower():
            raise RequestFailedError(FailureReason.OUT_OF_MONEY, detail)
        if kind in {"content_policy_violation", "no_media_generated"}:
            raise RequestFailedError(FailureReason.POLICY, detail)
        if code == HTTPStatus.BAD_REQUEST and "still in progress" in _text(response):
            raise TransientFalError(detail)
        if code in _PASSING_CODES:
            after = response.headers.get("Retry-After", "")
            raise TransientFalError(detail, float(after) if after.isdecimal() else None)
        if code in _BAD_INPUT_CODES:
            raise RequestFailedError(FailureReason.BAD_INPUT, detail)
        raise RequestFailedError(FailureReason.INTERNAL, detail)


def _text(response: httpx.Response) -> str:
    """The body, if it has been read (that of a streamed answer has not)."""
    try:
        return response.text
    except httpx.ResponseNotRead:
        return ""


def _error_type(response: httpx.Response) -> str:
    """fal's name for an error: its header, or the first ``type`` in the body's details."""
    if "X-Fal-Error-Type" in response.headers:
        return response.headers["X-Fal-Error-Type"]
    try:
        body = json.loads(_text(response) or "{}")
    except ValueError:
        return ""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        return str(detail[0].get("type", ""))
    return str(body.get("error_type", "")) if isinstance(body, dict) else ""
