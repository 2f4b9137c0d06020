"""Pictures on their way to fal: the real fal-client does the uploads (it retries them, which costs nothing)."""

import asyncio
from types import SimpleNamespace
from typing import Any, Final

import fal_client
import httpx
from fal_client import client as fal_client_module

from app.worker import fal_http
from app.worker.retry_policy import TransientError

URL_MAX: Final = 4096
"""Characters of an input's address."""
_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What fal-client raises for an answer of a shape that it does not expect."""


class _BoundedClient(httpx.AsyncClient):
    """What fal-client gets for an ``httpx.AsyncClient``, which it makes itself: the bounds of ``fal_http``."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None, **options: Any) -> None:
        bounded = fal_http.BoundedTransport(transport or httpx.AsyncHTTPTransport(), fal_http.ANSWER_MAX)
        super().__init__(transport=bounded, **options)


class Uploader:
    """Uploads inputs to fal's storage."""

    def __init__(self, key: str, storage_url: str, cdn_url: str, *, keep_seconds: int = 0) -> None:
        """The two hosts, and the HTTP library, are module constants in fal-client; this sets them for the process.

        ``keep_seconds``: how long fal keeps what is uploaded; 0: as long as it likes.
        """
        fal_client_module.REST_URL = storage_url.rstrip("/")
        fal_client_module.CDN_URL = cdn_url.rstrip("/")
        vars(fal_client_module)["httpx"] = SimpleNamespace(**vars(httpx) | {"AsyncClient": _BoundedClient})
        self._key = key
        self._lifecycle = fal_client.StorageSettings(expires_in=keep_seconds) if keep_seconds else None
        self._client = fal_client.AsyncClient(key=key)

    async def __call__(self, data: bytes, content_type: str) -> str:
        """Upload a picture; return the URL under which fal finds it.

        Raises:
            TransientError: fal's storage did not take it.
        """
        try:
            # One way only. fal-client's fallback asks for an address to upload to, and sends the key there, whoever's
            # host it is.
            async with asyncio.timeout(fal_http.FILE_SECONDS):
                url = await self._client.upload(
                    data, content_type, repository="fal_v3", fallback_repository=[], lifecycle=self._lifecycle
                )
            if not isinstance(url, str) or not 0 < len(url) <= URL_MAX:
                raise TypeError("the address is none")
        except (httpx.HTTPError, httpx.InvalidURL, fal_client.FalClientError, TimeoutError, *_UNREADABLE) as error:
            # The old client would keep a refused token until it expires.
            self._client = fal_client.AsyncClient(key=self._key)
            raise TransientError(f"upload: {type(error).__name__}") from error
        return url
