"""What counts as a picture."""

import io

import pytest
from PIL import Image

from app.core.errors import FailureReason, RequestFailedError
from app.worker import pictures
from app.worker.pictures import verify
from tests.hostile import pictures as hostile


def drawn(kind: str, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    picture = Image.effect_noise(size, 80).convert("RGB")
    more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
    picture.save(buffer, kind, **more)
    return buffer.getvalue()


@pytest.mark.parametrize(("kind", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("MPO", "jpg"), ("WEBP", "webp")])
def test_a_picture_is_known_by_what_it_is(kind: str, suffix: str) -> None:
    picture = verify(drawn(kind))
    assert (picture.suffix, picture.width, picture.height) == (suffix, 40, 30)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_is_cut_short_or_spoiled_is_none(kind: str) -> None:
    whole = drawn(kind)
    for data in (whole[: len(whole) // 2], whole[:20], b"", b"<!doctype html>"):
        with pytest.raises(RequestFailedError) as caught:
            verify(data)
        assert caught.value.reason is FailureReason.INTERNAL


def test_other_formats_are_none() -> None:
    with pytest.raises(RequestFailedError):
        verify(drawn("TIFF"))


def test_a_picture_too_large_to_decode_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "RESULT_MAX_PIXELS", 40 * 30 - 1)
    with pytest.raises(RequestFailedError, match="40x30"):
        verify(drawn("PNG"))


def test_a_jpeg_of_many_scans_is_refused_unread() -> None:
    with pytest.raises(RequestFailedError, match="parts"):
        verify(hostile.many_scans(64, 200))
