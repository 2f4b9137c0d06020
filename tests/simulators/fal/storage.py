"""Uploads: tokens, stored files, and how a model fetches its inputs."""

import base64
import mimetypes
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import aiohttp

_TOKEN_S = 3600
_FETCH_S = 5.0


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file."""

    data: bytes
    content_type: str


class Storage:
    """Uploaded files by name, and the tokens that allow uploads."""

    def __init__(self) -> None:
        self.files: dict[str, StoredFile] = {}
        self._tokens: dict[str, float] = {}

    def token(self, base: str) -> dict[str, Any]:
        """Give a new upload token in the form that fal-client reads."""
        token = secrets.token_hex(16)
        expires = time.time() + _TOKEN_S
        self._tokens[token] = expires
        when = datetime.fromtimestamp(expires, UTC).isoformat()
        return {"token": token, "token_type": "Bearer", "base_url": base, "expires_at": when}

    def allows(self, authorization: str, key: str) -> bool:
        """Tell whether a header authorises an upload: a token, or the key itself."""
        kind, _, value = authorization.partition(" ")
        return self._tokens.get(value, 0) > time.time() if kind == "Bearer" else authorization == f"Key {key}"

    def put(self, data: bytes, content_type: str, file_name: str) -> str:
        """Keep a file and give its name, which ends as the client's did."""
        ending = PurePath(file_name).suffix or mimetypes.guess_extension(content_type) or ""
        name = secrets.token_urlsafe(12) + ending
        self.files[name] = StoredFile(data, content_type)
        return name

    async def fetch(self, url: str) -> bytes | None:
        """Give the bytes of an input: a data URI, one of our files, or any other address; None if it fails."""
        if url.startswith("data:"):
            try:
                return base64.b64decode(url.partition(",")[2], validate=True)
            except ValueError:
                return None
        ours = self.files.get(url.rpartition("/files/")[2])
        if ours:
            return ours.data
        try:
            limit = aiohttp.ClientTimeout(total=_FETCH_S)
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(url) as answer:
                return await answer.read() if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
