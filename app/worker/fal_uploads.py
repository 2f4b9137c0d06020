"""Pictures on their way to fal: the real fal-client does the uploads (it retries them, which costs nothing)."""

import fal_client
import httpx
from fal_client import client as fal_client_module

from app.worker.fal_queue import TransientFalError


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
            TransientFalError: fal's storage did not take it.
        """
        try:
            return await self._client.upload(data, content_type)
        except (httpx.HTTPError, fal_client.FalClientError) as error:
            self._client = fal_client.AsyncClient(
                key=self._key
            )  # the old one would keep a refused token till it expires
            raise TransientFalError(f"upload: {type(error).__name__}") from error
