"""Photos and documents: what Telegram keeps of them, under which ids, and what it refuses."""

import hashlib
import io
import mimetypes
import secrets
import time
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .errors import ApiError, bad

JSON = dict[str, Any]
PHOTO_MOST = 10 * 1024 * 1024
DOCUMENT_MOST = 50 * 1024 * 1024
DOWNLOAD_MOST = 20 * 1024 * 1024
_SIDES_MOST = 10_000
_RATIO_MOST = 20
_LADDER = {"s": 90, "m": 320, "x": 800, "y": 1280}
_CHECK_SIDE = 64  # a JPEG is decoded small to see whether it is whole


@dataclass
class StoredFile:
    """A file that Telegram keeps."""

    file_id: str
    kind: str
    """`photo` or `document`."""
    data: bytes
    name: str
    mime: str
    width: int = 0
    height: int = 0
    path: str = ""
    linked_at: float = 0.0

    @property
    def unique_id(self) -> str:
        """The same for the same bytes."""
        return "AQAD" + hashlib.sha256(self.data).hexdigest()[:12]

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
        picture = opened.convert("RGB")
    for side in _LADDER.values():
        scaled = picture.copy()
        scaled.thumbnail((side, side))
        out = io.BytesIO()
        scaled.save(out, "JPEG", quality=87)
        steps.append((out.getvalue(), scaled.width, scaled.height))
        if max(picture.size) <= side:
            break
    return steps


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Scale down to a longest side."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class FileStore:
    """All files by id, and by the path that getFile gave."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._ladders: dict[str, list[tuple[bytes, int, int]]] = {}

    def add(
        self, kind: str, data: bytes, name: str = "", mime: str = "", size: tuple[int, int] = (0, 0)
    ) -> StoredFile:
        """Keep a file under a new id."""
        prefix = "AgACAgIAAx" if kind == "photo" else "BQACAgIAAx"
        mime = mime or mimetypes.guess_type(name)[0] or "application/octet-stream"
        stored = StoredFile(prefix + secrets.token_urlsafe(24), kind, data, name, mime, *size)
        self._by_id[stored.file_id] = stored
        return stored

    def photo_of_person(self, data: bytes) -> list[JSON]:
        """Keep a person's photo and give its PhotoSizes."""
        key = hashlib.sha256(data).hexdigest()
        steps = self._ladders.get(key)
        if steps is None:
            steps = self._ladders[key] = ladder(data)
        return [self.add("photo", part, size=(width, height)).size_json() for part, width, height in steps]

    def photo_of_bot(self, data: bytes, width: int, height: int) -> list[JSON]:
        """Keep a bot's photo as it is and give its PhotoSizes; all but the largest share its bytes."""
        sides = [side for side in _LADDER.values() if side < max(width, height)]
        sizes = [fitted(width, height, side) for side in [*sides, _LADDER["y"]]]
        if len(sizes) > len(_LADDER):
            sizes.pop()
        return [self.add("photo", data, size=size).size_json() for size in sizes]

    def get(self, file_id: str) -> StoredFile | None:
        """Find a file by id."""
        return self._by_id.get(file_id)

    def link(self, stored: StoredFile) -> str:
        """Give the path under which a file can be downloaded for a while."""
        if not stored.path:
            ending = ".jpg" if stored.kind == "photo" else "." + stored.name.rpartition(".")[2]
            stored.path = f"{stored.kind}s/file_{len(self._by_path)}{ending}"
            self._by_path[stored.path] = stored
        stored.linked_at = time.monotonic()
        return stored.path

    def by_path(self, path: str, ttl_s: float) -> StoredFile | None:
        """Find a file by a path that is not older than `ttl_s` seconds."""
        stored = self._by_path.get(path)
        return stored if stored and time.monotonic() - stored.linked_at <= ttl_s else None
