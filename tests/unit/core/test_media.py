"""The media store on a disk."""

import os
import threading
from pathlib import Path
from unittest.mock import patch

import pytest

from app.core.media import MediaStore, content_type_of


async def test_a_picture_is_stored_and_read(tmp_path: Path) -> None:
    store = MediaStore(f"file://{tmp_path}")
    await store.put("results/2026/01/02/tg-1-0.png", b"picture")
    assert await store.get("results/2026/01/02/tg-1-0.png") == b"picture"
    assert (tmp_path / "results/2026/01/02/tg-1-0.png").read_bytes() == b"picture"


async def test_a_picture_stored_again_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    store = MediaStore(f"file://{tmp_path}")
    for data in (b"first", b"second"):
        await store.put("a/b.png", data)
    assert await store.get("a/b.png") == b"second"
    assert [files for _, _, files in os.walk(tmp_path) if files] == [["b.png"]]


async def test_a_picture_is_on_the_disk_before_it_counts_as_stored(tmp_path: Path) -> None:
    with patch("os.fsync") as fsync:
        await MediaStore(f"file://{tmp_path}").put("a/b.png", b"picture")
    assert fsync.call_count == 2  # the file, and the directory that names it


async def test_a_path_with_spaces_is_understood(tmp_path: Path) -> None:
    (tmp_path / "my pictures").mkdir()
    store = MediaStore((tmp_path / "my pictures").as_uri())
    await store.put("a.png", b"picture")
    assert (tmp_path / "my pictures" / "a.png").read_bytes() == b"picture"


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await MediaStore(f"file://{tmp_path}").get("gone.png")


async def test_a_picture_that_is_wanted_again_counts_as_new(tmp_path: Path) -> None:
    store = MediaStore(f"file://{tmp_path}")
    await store.put("a/b.png", b"picture")
    os.utime(tmp_path / "a/b.png", (0, 0))
    assert await store.renew("a/b.png")
    assert (tmp_path / "a/b.png").stat().st_mtime > 0
    assert not await store.renew("a/gone.png")
    assert not (tmp_path / "a/gone.png").exists()


async def test_a_store_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = threading.Event()
    monkeypatch.setattr("app.core.media.ANSWER_WITHIN", 0.1)
    monkeypatch.setattr(os, "utime", lambda _path: answers.wait())
    try:
        with pytest.raises(TimeoutError):
            await MediaStore(f"file://{tmp_path}").renew("a/b.png")
    finally:
        answers.set()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("results/a/1.jpg", "image/jpeg"),
        ("results/a/1.png", "image/png"),
        ("results/a/1.webp", "image/webp"),
        ("results/a/1", "application/octet-stream"),
    ],
)
def test_the_type_of_a_picture_does_not_depend_on_the_host(key: str, kind: str) -> None:
    assert content_type_of(key) == kind
