"""Files of too many parts are known before anything decodes them."""

import pytest

from app.core.picture_structure import is_reasonable
from tests.hostile import pictures
from tests.hostile.pictures import chunk, png, sound


@pytest.mark.parametrize(
    "data",
    [
        pictures.many_scans(64, 101),
        pictures.many_segments(2001),
        pictures.many_fill_bytes(10_002),
        png(64, 48, chunk(b"teSt", b"") * 20_000),
        pictures.many_fill_bytes()[:-1],
    ],
    ids=["scans", "segments", "fill bytes", "chunks", "cut short"],
)
def test_too_many_parts(data: bytes) -> None:
    assert not is_reasonable(data)


@pytest.mark.parametrize(
    "data",
    [
        sound(progressive=True),
        sound("PNG"),
        sound("PNG") + chunk(b"teSt", b"") * 30_000,
        sound()[:-2],
        sound("PNG")[:60],
        pictures.many_restarts(30_000),
        pictures.many_pictures_in_one(),
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=[
        "progressive",
        "PNG",
        "with a tail",
        "no end",
        "half a PNG",
        "restarts",
        "MPO",
        "nothing",
        "SOI",
        "half",
        "signature",
    ],
)
def test_what_pictures_are_like(data: bytes) -> None:
    assert is_reasonable(data)
