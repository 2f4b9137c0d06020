"""fal's pictures are opened in a process that may be killed."""

from collections.abc import AsyncIterator

import pytest

from app.core.errors import RequestFailedError
from app.worker import verifier
from app.worker.verifier import Verifier
from tests.hostile import pictures
from tests.unit.worker.test_pictures import drawn

SOUND = {"a PNG of 50 megapixels with transparency", "a grey PNG of 50 megapixels with transparency",
         "a PNG of 50 megapixels, 16 bits", "a progressive CMYK JPEG of 50 megapixels", "a stripe",
         "a WebP of 50 megapixels with transparency"}  # fmt: skip
"""Attacks on a limit of memory that is lower than for fal's pictures, which may be larger."""


@pytest.fixture
async def verify() -> AsyncIterator[Verifier]:
    made = Verifier()
    yield made
    await made.aclose()


@pytest.mark.parametrize("attack", list(pictures.ATTACKS))
async def test_an_attack_ends_and_the_next_picture_is_taken(verify: Verifier, attack: str) -> None:
    data = pictures.ATTACKS[attack]()
    if attack in SOUND:
        assert await verify(data) in {"png", "jpg", "webp"}
    else:
        with pytest.raises(RequestFailedError):
            await verify(data)
    assert await verify(drawn("PNG")) == "png"


@pytest.mark.parametrize(("limit", "value"), [("SECONDS_MAX", 0.0), ("MEMORY_MAX", 150 * 1024 * 1024)])
async def test_what_takes_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, limit: str, value: float) -> None:
    monkeypatch.setattr(verifier, limit, value)
    verify = Verifier()
    with pytest.raises(RequestFailedError):
        await verify(pictures.large_png("RGB"))
    await verify.aclose()
