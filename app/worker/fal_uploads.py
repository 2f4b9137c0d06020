"""Pictures on their way to fal: the real fal-client does the uploads (it retries them, which costs nothing)."""

from typing import Final

import fal_client
import httpx
from fal_client import client as fal_client_module

from app.worker.patience import TransientError

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What fal-client raises for an answer of a shape that it does not expect."""


class Uploader:
    """Uploads inputs to fal's storage."""

    def __init__(self, key: str, storage_url: str, cdn_url: str) -> None:
        """The two hosts are module constants in fal-client; this sets them for the process."""
        fal_client_module.REST_URL = storage_url.rstrip("/")
        fal_client_module.CDN_URL = cdn_url.rstrip("/")
        self._key = key
        self._client = fal_client.AsyncClient(key=key)

    async def __call__(self, data: bytes, content_type: str) -> str:
        """Upload a picture; return the URL under which fal finds it.

        Raises:
            TransientError: fal's storage did not take it.
        """
        try:
            # One way only. fal-client's fallback asks for an address to upload to, and sends the key there, whoever's
            # host it is.
            url = await self._client.upload(data, content_type, repository="fal_v3", fallback_repository=[])
            if not isinstance(url, str):
                raise TypeError("the address is no text")
        except (httpx.HTTPError, httpx.InvalidURL, fal_client.FalClientError, *_UNREADABLE) as error:
            # The old client would keep a refused token until it expires.
            self._client = fal_client.AsyncClient(key=self._key)
            raise TransientError(f"upload: {type(error).__name__}") from error
        return url
