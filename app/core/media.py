"""The media store: one URL for a local disk, an NFS mount (``file:///...``) or S3 (``s3://bucket/prefix``)."""

import asyncio
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url


class MediaStore:
    """Pictures by key. Keys are our own (never a stranger's file name), with ``/`` between their parts."""

    def __init__(self, url: str) -> None:
        self._root: Path | None = None
        self._store: ObjectStore
        if url.startswith("file:///"):
            self._root = Path(unquote(urlsplit(url).path))
            self._store = LocalStore(self._root)
        else:
            self._store = from_url(url)

    @property
    def directory(self) -> Path | None:
        """The directory, if that is where it keeps them."""
        return self._root

    async def put(self, key: str, data: bytes) -> None:
        """Store a picture: when this returns it is whole, and survives a power cut."""
        await obstore.put_async(self._store, key, data)
        if self._root is not None:  # obstore renames into place but does not sync
            await asyncio.to_thread(_sync, self._root / key)

    async def get(self, key: str) -> bytes:
        """Return a picture.

        Raises:
            FileNotFoundError: there is none under this key.
        """
        answer = await obstore.get_async(self._store, key)
        return bytes(await answer.bytes_async())


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
