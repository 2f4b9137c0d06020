"""Pictures without words: retouch and upscale."""

from typing import Any

import pytest

from app.bot.requests.dialogues import Merging, Retouching, Upscaling
from app.core.operations import Operation
from tests.unit.bot.photo_stage import Stage, photo


@pytest.mark.parametrize(
    ("command", "operation", "question", "waiting"),
    [
        ("/retouch", Operation.RETOUCH, "portrait", Retouching.picture),
        ("/upscale", Operation.UPSCALE, "enlarged", Upscaling.picture),
    ],
)
async def test_retouch_and_upscale_need_a_picture_only(
    stage: Stage, command: str, operation: Operation, question: str, waiting: Any
) -> None:
    assert question in (await stage.hears(command))[0]
    assert await stage.state() == waiting.state
    assert "send me the photo" in (await stage.hears("now"))[0]
    assert await stage.sees("photo", "this one") == []
    assert stage.ordered() == (operation, "", ("photo",))
    assert await stage.state() is None


@pytest.mark.parametrize(("command", "operation"), [("/retouch", Operation.RETOUCH), ("/upscale", Operation.UPSCALE)])
async def test_retouch_and_upscale_work_as_reply_and_as_caption(
    stage: Stage, command: str, operation: Operation
) -> None:
    assert await stage.hears(command, reply_to_message=photo("replied")) == []
    await stage.bot.set_state(Merging.pictures)
    assert await stage.sees("photo", command) == []
    assert [(spec.operation, spec.inputs) for spec, _ in stage.submitter.specs] == [
        (operation, ("replied",)),
        (operation, ("photo",)),
    ]
