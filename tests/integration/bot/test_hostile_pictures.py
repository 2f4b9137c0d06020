"""Pictures that are made to do harm: refused kindly, in a process that may be killed, while others are served."""

from collections.abc import AsyncIterator

import pytest

from app.bot.orders import normaliser
from app.bot.orders.normal_form import normalise
from app.bot.orders.normaliser import Normaliser
from app.bot.refusals import RefusedError
from tests.hostile import pictures
from tests.unit.bot.test_normal_form import drawn


@pytest.fixture(scope="module")
def attacks() -> dict[str, bytes]:
    return {name: make() for name, make in pictures.ATTACKS.items()}


@pytest.fixture
async def decode() -> AsyncIterator[Normaliser]:
    made = Normaliser()
    yield made
    await made.aclose()


@pytest.mark.parametrize("attack", list(pictures.ATTACKS))
async def test_an_attack_gets_a_sentence_and_the_next_picture_is_taken(
    decode: Normaliser, attacks: dict[str, bytes], attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A minute: so that what is refused is refused by its shape and not by the clock.
    monkeypatch.setattr(normaliser, "SECONDS_MAX", 60.0)
    with pytest.raises(RefusedError):
        await decode(attacks[attack])
    assert (await decode(drawn())).suffix == "jpg"


async def test_a_picture_comes_out_as_it_does_in_this_process(decode: Normaliser) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        assert await decode(drawn(kind)) == normalise(drawn(kind))


async def test_a_decoder_that_needs_more_memory_than_allowed_is_refused_and_not_the_bot_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(normaliser, "MEMORY_MAX", 200 * 1024 * 1024)
    decode = Normaliser()
    with pytest.raises(RefusedError):
        await decode(pictures.large_png("RGB", 7000))
    assert (await decode(drawn())).suffix == "jpg"
    await decode.aclose()


async def test_a_decoder_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normaliser, "SECONDS_MAX", 0.0)
    decode = Normaliser()
    with pytest.raises(RefusedError) as caught:
        await decode(drawn())
    assert caught.value.key == "photo-too-much"
    await decode.aclose()
