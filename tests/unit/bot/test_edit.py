"""Pictures with words: edits."""

from aiogram.types import (
    Update,
)
from teremok import MockMessagePhoto, MockMessageText

from app.bot.requests.dialogues import Editing
from app.bot.requests.submission import ReplyTarget
from app.core.operations import Operation
from tests.unit.bot.photo_harness import ANNA, Harness, document, photo


async def test_a_photo_with_a_caption_is_an_edit(harness: Harness) -> None:
    assert await harness.sees("photo", "  make it winter ") == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_an_image_document_with_a_caption_is_an_edit(harness: Harness) -> None:
    await harness.gets(document(caption="make it winter"))
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("document",))


async def test_a_reply_to_any_picture_is_an_edit_of_it(harness: Harness) -> None:
    assert await harness.hears("make it winter", reply_to_message=photo("replied")) == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_a_reply_to_words_is_a_prompt(harness: Harness) -> None:
    await harness.hears("a fox", reply_to_message=MockMessageText("no picture"))
    assert harness.ordered() == (Operation.CREATE, "a fox", ())


async def test_the_answer_replies_to_the_message_that_ordered_and_its_id_is_the_update_s(harness: Harness) -> None:
    message = MockMessagePhoto("photo", "winter", user=ANNA)
    await harness.gets(Update(update_id=77, message=message))
    [(_, target)] = harness.submitter.specs
    assert target == ReplyTarget("u77", ANNA.id, ANNA.id, message.message_id)


async def test_edit_asks_for_the_picture_then_for_the_words(harness: Harness) -> None:
    assert "Send me the picture" in (await harness.hears("/edit"))[0]
    assert "send me the photo" in (await harness.hears("make it winter"))[0]
    assert "What should I change" in (await harness.sees("photo"))[0]
    assert await harness.hears("make it winter") == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))
    assert await harness.state() is None


async def test_another_photo_takes_the_place_of_the_first(harness: Harness) -> None:
    await harness.hears("/edit")
    await harness.sees("first")
    await harness.sees("second")
    await harness.hears("make it winter")
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("second",))


async def test_edit_in_reply_to_a_picture_asks_for_the_words_only(harness: Harness) -> None:
    assert "What should I change" in (await harness.hears("/edit", reply_to_message=photo("replied")))[0]
    await harness.hears("make it winter")
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_edit_with_words_in_reply_to_a_picture_asks_for_nothing(harness: Harness) -> None:
    assert await harness.hears("/edit make it winter", reply_to_message=photo("replied")) == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("replied",))


async def test_edit_with_words_asks_for_the_picture_only(harness: Harness) -> None:
    assert "Send me the picture" in (await harness.hears("/edit make it winter"))[0]
    assert await harness.sees("photo") == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_edit_may_be_the_caption(harness: Harness) -> None:
    assert await harness.sees("photo", "/edit make it winter") == []
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_words_that_are_none_do_not_end_the_dialogue(harness: Harness) -> None:
    await harness.hears("/edit", reply_to_message=photo())
    assert "can't see any words" in (await harness.hears("\u200b"))[0]
    assert "whole story" in (await harness.hears("x" * 2001))[0]
    assert harness.submitter.specs == []
    assert await harness.state() == Editing.instruction.state


async def test_a_refused_order_can_be_sent_again(harness: Harness) -> None:
    harness.submitter.takes = False
    await harness.hears("/edit", reply_to_message=photo())
    await harness.hears("make it winter")
    harness.submitter.takes = True
    await harness.hears("make it winter")
    assert [spec.inputs for spec, _ in harness.submitter.specs] == [("photo",), ("photo",)]
    assert await harness.state() is None


async def test_a_dialogue_whose_picture_is_forgotten_asks_for_it_again(harness: Harness) -> None:
    await harness.bot.set_state(Editing.instruction)
    assert "can't see that picture any more" in (await harness.hears("make it winter"))[0]
    assert await harness.state() is None


async def test_a_bad_caption_is_refused_before_the_picture_is_fetched(harness: Harness) -> None:
    assert "whole story" in (await harness.sees("photo", "x" * 2001))[0]
    assert harness.photos.taken == []
