"""Pictures without words: retouch and upscale."""

from typing import Any

import pytest

from app.bot.requests.dialogues import Merging, Retouching, Upscaling
from app.core.operations import Operation
from tests.unit.bot.photo_harness import Harness, photo


@pytest.mark.parametrize(
    ("command", "operation", "question", "waiting"),
    [
        ("/retouch", Operation.RETOUCH, "portrait", Retouching.picture),
        ("/upscale", Operation.UPSCALE, "enlarged", Upscaling.picture),
    ],
)
async def test_retouch_and_upscale_need_a_picture_only(
    harness: Harness, command: str, operation: Operation, question: str, waiting: Any
) -> None:
    assert question in (await harness.hears(command))[0]
    assert await harness.state() == waiting.state
    assert "send me the photo" in (await harness.hears("now"))[0]
    assert await harness.sees("photo", "this one") == []
    assert harness.ordered() == (operation, "", ("photo",))
    assert await harness.state() is None


@pytest.mark.parametrize(("command", "operation"), [("/retouch", Operation.RETOUCH), ("/upscale", Operation.UPSCALE)])
async def test_retouch_and_upscale_work_as_reply_and_as_caption(
    harness: Harness, command: str, operation: Operation
) -> None:
    assert await harness.hears(command, reply_to_message=photo("replied")) == []
    await harness.bot.set_state(Merging.pictures)
    assert await harness.sees("photo", command) == []
    assert [(spec.operation, spec.inputs) for spec, _ in harness.submitter.specs] == [
        (operation, ("replied",)),
        (operation, ("photo",)),
    ]
