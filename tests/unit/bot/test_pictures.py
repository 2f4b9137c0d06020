"""What Telegram takes as a photo."""

import io

import pytest
from PIL import Image, UnidentifiedImageError

from app.bot.delivery.pictures import PHOTO_MAX_BYTES, inspect


def _picture(width: int, height: int, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "name"), [("JPEG", "picture.jpg"), ("PNG", "picture.png"), ("WEBP", "picture.webp")]
)
def test_the_name_tells_the_format(kind: str, name: str) -> None:
    assert inspect(_picture(64, 64, kind)).file_name == name


@pytest.mark.parametrize(
    ("width", "height", "fits"),
    [
        (1024, 1024, True),
        (9000, 1000, True),
        (9000, 1001, False),
        (2000, 100, True),
        (2001, 100, False),
    ],
)
def test_sides_and_ratio_decide(width: int, height: int, fits: bool) -> None:
    assert inspect(_picture(width, height)).fits_photo is fits


def test_ten_megabytes_are_the_limit() -> None:
    data = _picture(64, 64)
    assert inspect(data.ljust(PHOTO_MAX_BYTES, b"\0")).fits_photo
    assert not inspect(data.ljust(PHOTO_MAX_BYTES + 1, b"\0")).fits_photo


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(UnidentifiedImageError):
        inspect(b"<html>")
