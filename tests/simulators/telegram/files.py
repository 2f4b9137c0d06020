"""Photos and documents: what Telegram keeps of them, under which ids, and what it refuses."""

import asyncio
import hashlib
import io
import mimetypes
import secrets
import time
from collections import deque
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from PIL import Image, ImageOps

from .errors import ApiError, bad

JSON = dict[str, Any]
PHOTO_MOST = 10 * 1024 * 1024
DOCUMENT_MOST = 50 * 1024 * 1024
DOWNLOAD_MOST = 20 * 1024 * 1024
_SIDES_MOST = 10_000
_RATIO_MOST = 20
_LADDER = (90, 320, 800, 1280)
_KEPT_MOST = 512 * 1024 * 1024
_CHECK_SIDE = 64  # a JPEG is decoded small to see whether it is whole


@dataclass
class StoredFile:
    """A file that Telegram keeps."""

    file_id: str
    kind: str
    """`photo` or `document`."""
    data: bytes
    unique_id: str
    """The same for the same bytes."""
    name: str
    mime: str
    width: int = 0
    height: int = 0
    path: str = ""
    linked_at: float = 0.0

    def size_json(self) -> JSON:
        """As a PhotoSize."""
        ids = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.data)}
        return ids | {"width": self.width, "height": self.height}

    def document_json(self) -> JSON:
        """As a Document."""
        ids = {"file_id": self.file_id, "file_unique_id": self.unique_id, "file_size": len(self.data)}
        return ids | {"file_name": self.name, "mime_type": self.mime}


def check_photo(data: bytes) -> tuple[int, int]:
    """Give width and height, or Telegram's refusal of what can't be a photo."""
    if not data:
        raise bad("file must be non-empty")
    if len(data) > PHOTO_MOST:
        size = len(data)
        raise bad(f"file of size {size} bytes is too big for a photo; the maximum size is {PHOTO_MOST} bytes")
    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            sound = width + height <= _SIDES_MOST and max(width, height) <= _RATIO_MOST * min(width, height)
            if sound:
                picture.draft("RGB", (_CHECK_SIDE, _CHECK_SIDE))
                picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise bad("IMAGE_PROCESS_FAILED") from None
    if not sound:
        raise bad("PHOTO_INVALID_DIMENSIONS")
    return width, height


def check_document(data: bytes) -> None:
    """Raise Telegram's refusal of an empty or too large document."""
    if not data:
        raise bad("file must be non-empty")
    if len(data) > DOCUMENT_MOST:
        raise ApiError(413, "Request Entity Too Large")


def ladder(data: bytes) -> list[tuple[bytes, int, int]]:
    """Make the sizes that a person's photo becomes: JPEGs, smallest first, (bytes, width, height)."""
    steps = []
    with Image.open(io.BytesIO(data)) as opened:
        if max(opened.size) > _RATIO_MOST * min(opened.size):
            raise ValueError("clients send so narrow a picture as a document")
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    for side in _LADDER:
        scaled = picture.copy()
        scaled.thumbnail((side, side))
        out = io.BytesIO()
        scaled.save(out, "JPEG", quality=87)
        steps.append((out.getvalue(), scaled.width, scaled.height))
        if max(picture.size) <= side:
            break
    return steps


def _hash(data: bytes) -> str:
    return "AQAD" + hashlib.sha256(data).hexdigest()[:12]


def _photo(data: bytes, unique_id: str, width: int, height: int) -> StoredFile:
    file_id = "AgACAgIAAx" + secrets.token_urlsafe(24)
    return StoredFile(file_id, "photo", data, unique_id, "", "image/jpeg", width, height)


def _weight(files: list[StoredFile]) -> int:
    """Bytes that some files take; those that share theirs count once."""
    return sum({id(stored.data): len(stored.data) for stored in files}.values())


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Scale down to a longest side."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class FileStore:
    """All files by id, and by the path that getFile gave; the oldest are lost when all take too much memory."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._ladders: dict[str, list[tuple[bytes, int, int]]] = {}
        self._kept: deque[list[StoredFile]] = deque()
        self._bytes = 0
        self._links = 0

    def document(self, data: bytes, name: str, mime: str = "") -> JSON:
        """Keep a file as it is and give its Document."""
        mime = mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
        stored = StoredFile("BQACAgIAAx" + secrets.token_urlsafe(24), "document", data, _hash(data), name, mime)
        self._keep([stored])
        return stored.document_json()

    async def photo_of_person(self, data: bytes) -> list[JSON]:
        """Keep a person's photo and give its PhotoSizes."""
        key = _hash(data)
        steps = self._ladders.get(key)
        if steps is None:
            steps = self._ladders[key] = await asyncio.to_thread(ladder, data)
        sizes = [_photo(part, _hash(part), width, height) for part, width, height in steps]
        self._keep(sizes)
        return [size.size_json() for size in sizes]

    def photo_of_bot(self, data: bytes, width: int, height: int) -> list[JSON]:
        """Keep a bot's photo as it is and give its PhotoSizes, which all share its bytes."""
        sides = [side for side in _LADDER if side < max(width, height)]
        fits = [fitted(width, height, side) for side in [*sides, _LADDER[-1]]][: len(_LADDER)]
        key = _hash(data)
        sizes = [_photo(data, f"{key}{number}", *size) for number, size in enumerate(fits)]
        self._keep(sizes)
        return [size.size_json() for size in sizes]

    def _keep(self, files: list[StoredFile]) -> None:
        self._by_id |= {stored.file_id: stored for stored in files}
        self._kept.append(files)
        self._bytes += _weight(files)
        while self._bytes > _KEPT_MOST and len(self._kept) > 1:
            oldest = self._kept.popleft()
            self._bytes -= _weight(oldest)
            for stored in oldest:
                del self._by_id[stored.file_id]
                self._by_path.pop(stored.path, None)

    def get(self, file_id: str) -> StoredFile | None:
        """Find a file by id."""
        return self._by_id.get(file_id)

    def link(self, stored: StoredFile) -> str:
        """Give the path under which a file can be downloaded for a while."""
        if not stored.path:
            ending = ".jpg" if stored.kind == "photo" else PurePath(stored.name).suffix
            self._links += 1
            stored.path = f"{stored.kind}s/file_{self._links}{ending}"
            self._by_path[stored.path] = stored
        stored.linked_at = time.monotonic()
        return stored.path

    def by_path(self, path: str, ttl_s: float) -> StoredFile | None:
        """Find a file by a path that is not older than `ttl_s` seconds."""
        stored = self._by_path.get(path)
        return stored if stored and time.monotonic() - stored.linked_at <= ttl_s else None
