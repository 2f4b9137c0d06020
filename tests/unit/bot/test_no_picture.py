"""What is sent as a picture and is none, or can't be had."""

from typing import Any

import pytest
from aiogram.types import (
    Animation,
    Message,
    PhotoSize,
)
from teremok import MockMessagePhoto, MockUser

from app.bot.requests.dialogues import Editing, Merging, Retouching
from app.core.operations import Operation
from tests.unit.bot.photo_harness import ANNA, Harness, document


@pytest.mark.parametrize("state", [None, Editing.picture, Editing.instruction, Merging.pictures, Retouching.picture])
async def test_a_command_is_no_instruction(harness: Harness, state: Any) -> None:
    await harness.bot.set_state(state)
    assert "don't know this command" in (await harness.sees("photo", "/paint"))[0]
    assert harness.submitter.specs == []


@pytest.mark.parametrize("state", [None, Editing.picture, Merging.pictures])
@pytest.mark.parametrize(("message", "answer"), [
    (document("application/pdf"), "can't open this as a picture"),
    (document("video/mp4", animation=Animation(file_id="a", file_unique_id="a", width=9, height=9, duration=1)),
     "only work with still pictures"),
])  # fmt: skip
async def test_other_files_are_refused_kindly_in_every_state(
    harness: Harness, state: Any, message: Message, answer: str
) -> None:
    await harness.bot.set_state(state)
    assert answer in (await harness.gets(message))[0]
    assert harness.submitter.specs == []


async def test_a_picture_that_can_t_be_taken_in_orders_nothing(harness: Harness) -> None:
    harness.photos.refused["photo"] = "photo-unavailable"
    assert "could not get this picture" in (await harness.sees("photo", "make it winter"))[0]
    assert harness.submitter.specs == []


async def test_the_refusal_is_in_the_person_s_language(harness: Harness) -> None:
    boris = MockUser(user_id=8, language_code="ru")
    harness.photos.refused["photo"] = "photo-broken"
    assert "файл повреждён" in (await harness.gets(MockMessagePhoto("photo", "зима", user=boris)))[0]


async def test_the_largest_size_is_worked_with(harness: Harness) -> None:
    sizes = [PhotoSize(file_id=f"{side}", file_unique_id="x", width=side, height=side) for side in (90, 1280, 320)]
    await harness.gets(MockMessagePhoto("photo", "winter", user=ANNA).model_copy(update={"photo": sizes}))
    assert harness.ordered() == (Operation.EDIT, "winter", ("1280",))
