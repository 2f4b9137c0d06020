"""Pictures with words: edits."""

from aiogram.types import (
    Update,
)
from teremok import MockMessagePhoto, MockMessageText

from app.bot.requests.dialogues import Editing
from app.bot.requests.submission import ReplyTarget
from app.core.operations import Operation
from tests.unit.bot.photo_stage import ANNA, Stage, document, photo


async def test_a_photo_with_a_caption_is_an_edit(stage: Stage) -> None:
    assert await stage.sees("photo", "  make it winter ") == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_an_image_document_with_a_caption_is_an_edit(stage: Stage) -> None:
    await stage.gets(document(caption="make it winter"))
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("document",))


async def test_a_reply_to_any_picture_is_an_edit_of_it(stage: Stage) -> None:
    assert await stage.hears("make it winter", reply_to_message=photo("replied")) == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_a_reply_to_words_is_a_prompt(stage: Stage) -> None:
    await stage.hears("a fox", reply_to_message=MockMessageText("no picture"))
    assert stage.ordered() == (Operation.CREATE, "a fox", ())


async def test_the_answer_replies_to_the_message_that_ordered_and_its_id_is_the_update_s(stage: Stage) -> None:
    message = MockMessagePhoto("photo", "winter", user=ANNA)
    await stage.gets(Update(update_id=77, message=message))
    [(_, target)] = stage.submitter.specs
    assert target == ReplyTarget("u77", ANNA.id, ANNA.id, message.message_id)


async def test_edit_asks_for_the_picture_then_for_the_words(stage: Stage) -> None:
    assert "Send me the picture" in (await stage.hears("/edit"))[0]
    assert "send me the photo" in (await stage.hears("make it winter"))[0]
    assert "What should I change" in (await stage.sees("photo"))[0]
    assert await stage.hears("make it winter") == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))
    assert await stage.state() is None


async def test_another_photo_takes_the_place_of_the_first(stage: Stage) -> None:
    await stage.hears("/edit")
    await stage.sees("first")
    await stage.sees("second")
    await stage.hears("make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("second",))


async def test_edit_in_reply_to_a_picture_asks_for_the_words_only(stage: Stage) -> None:
    assert "What should I change" in (await stage.hears("/edit", reply_to_message=photo("replied")))[0]
    await stage.hears("make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_edit_with_words_in_reply_to_a_picture_asks_for_nothing(stage: Stage) -> None:
    assert await stage.hears("/edit make it winter", reply_to_message=photo("replied")) == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_edit_with_words_asks_for_the_picture_only(stage: Stage) -> None:
    assert "Send me the picture" in (await stage.hears("/edit make it winter"))[0]
    assert await stage.sees("photo") == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_edit_may_be_the_caption(stage: Stage) -> None:
    assert await stage.sees("photo", "/edit make it winter") == []
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_words_that_are_none_do_not_end_the_dialogue(stage: Stage) -> None:
    await stage.hears("/edit", reply_to_message=photo())
    assert "can't see any words" in (await stage.hears("\u200b"))[0]
    assert "whole story" in (await stage.hears("x" * 2001))[0]
    assert stage.submitter.specs == []
    assert await stage.state() == Editing.instruction.state


async def test_a_refused_order_can_be_sent_again(stage: Stage) -> None:
    stage.submitter.takes = False
    await stage.hears("/edit", reply_to_message=photo())
    await stage.hears("make it winter")
    stage.submitter.takes = True
    await stage.hears("make it winter")
    assert [spec.inputs for spec, _ in stage.submitter.specs] == [("photo",), ("photo",)]
    assert await stage.state() is None


async def test_a_dialogue_whose_picture_is_forgotten_asks_for_it_again(stage: Stage) -> None:
    await stage.bot.set_state(Editing.instruction)
    assert "can't see that picture any more" in (await stage.hears("make it winter"))[0]
    assert await stage.state() is None


async def test_a_bad_caption_is_refused_before_the_picture_is_fetched(stage: Stage) -> None:
    assert "whole story" in (await stage.sees("photo", "x" * 2001))[0]
    assert stage.photos.taken == []
