"""The media store: one URL for a local disk, an NFS mount (``file:///...``) or S3 (``s3://bucket/prefix``)."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url

ANSWER_WITHIN: Final = 2.0
"""Seconds in which the store has to say whether it has a picture."""


_CONTENT_TYPES: Final = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def content_type_of(key: str) -> str:
    """Return the MIME type of a picture; Python's own guess depends on what files the host has."""
    return _CONTENT_TYPES.get(key.rpartition(".")[2], "application/octet-stream")


class MediaStore:
    """Pictures by key. Keys are our own (never a stranger's file name), with ``/`` between their parts."""

    def __init__(self, url: str) -> None:
        self._root: Path | None = None
        # A file server that stands still must not take the threads that others need.
        self._threads = ThreadPoolExecutor(thread_name_prefix="media")
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
            await self._blocking(_sync, self._root / key)

    async def renew(self, key: str) -> bool:
        """Note that a picture is wanted again: it is kept as if it were new. Return whether it is there.

        Raises:
            TimeoutError: the store did not answer.
        """
        async with asyncio.timeout(ANSWER_WITHIN):
            try:
                if self._root is None:
                    await obstore.head_async(self._store, key)
                else:
                    await self._blocking(os.utime, self._root / key)
            except FileNotFoundError:
                return False
        return True

    async def get(self, key: str) -> bytes:
        """Return a picture.

        Raises:
            FileNotFoundError: there is none under this key.
        """
        answer = await obstore.get_async(self._store, key)
        return bytes(await answer.bytes_async())

    async def _blocking(self, call: Callable[[Path], None], path: Path) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, call, path)


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
