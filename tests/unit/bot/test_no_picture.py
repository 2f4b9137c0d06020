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
from tests.unit.bot.photo_stage import ANNA, Stage, document


@pytest.mark.parametrize("state", [None, Editing.picture, Editing.instruction, Merging.pictures, Retouching.picture])
async def test_a_command_is_no_instruction(stage: Stage, state: Any) -> None:
    await stage.bot.set_state(state)
    assert "don't know this command" in (await stage.sees("photo", "/paint"))[0]
    assert stage.submitter.specs == []


@pytest.mark.parametrize("state", [None, Editing.picture, Merging.pictures])
@pytest.mark.parametrize(("message", "answer"), [
    (document("application/pdf"), "can't open this as a picture"),
    (document("video/mp4", animation=Animation(file_id="a", file_unique_id="a", width=9, height=9, duration=1)),
     "only work with still pictures"),
])  # fmt: skip
async def test_other_files_are_refused_kindly_in_every_state(
    stage: Stage, state: Any, message: Message, answer: str
) -> None:
    await stage.bot.set_state(state)
    assert answer in (await stage.gets(message))[0]
    assert stage.submitter.specs == []


async def test_a_picture_that_can_t_be_taken_in_orders_nothing(stage: Stage) -> None:
    stage.photos.refused["photo"] = "photo-unavailable"
    assert "could not get this picture" in (await stage.sees("photo", "make it winter"))[0]
    assert stage.submitter.specs == []


async def test_the_refusal_is_in_the_person_s_language(stage: Stage) -> None:
    boris = MockUser(user_id=8, language_code="ru")
    stage.photos.refused["photo"] = "photo-broken"
    assert "файл повреждён" in (await stage.gets(MockMessagePhoto("photo", "зима", user=boris)))[0]


async def test_the_largest_size_is_worked_with(stage: Stage) -> None:
    sizes = [PhotoSize(file_id=f"{side}", file_unique_id="x", width=side, height=side) for side in (90, 1280, 320)]
    await stage.gets(MockMessagePhoto("photo", "winter", user=ANNA).model_copy(update={"photo": sizes}))
    assert stage.ordered() == (Operation.EDIT, "winter", ("1280",))
