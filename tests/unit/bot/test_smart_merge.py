"""Several pictures with words: merges."""

from typing import Any

import pytest

from app.bot.requests.dialogues import Editing, Retouching, Upscaling
from app.core.operations import Operation
from tests.unit.bot.photo_stage import Stage, photo


async def test_merge_collects_pictures_and_ends_with_the_words(stage: Stage) -> None:
    assert "2 to 10 photos" in (await stage.hears("/merge"))[0]
    assert "at least two" in (await stage.hears("together"))[0]
    assert "at least one more" in (await stage.sees("one"))[0]
    assert "at least two" in (await stage.hears("together"))[0]
    assert "2 photos of 10" in (await stage.sees("two"))[0]
    assert await stage.hears("put them together") == []
    assert stage.ordered() == (Operation.MERGE, "put them together", ("one", "two"))
    assert await stage.state() is None


async def test_a_caption_ends_the_collection(stage: Stage) -> None:
    await stage.hears("/merge")
    await stage.sees("one", "this is not enough")
    await stage.sees("two", "together")
    assert stage.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_an_album_with_a_caption_is_a_merge(stage: Stage) -> None:
    assert await stage.sees_album("one", "two", "three", caption="/merge together") == []
    assert stage.ordered() == (Operation.MERGE, "together", ("one", "two", "three"))


async def test_an_album_without_a_caption_asks_for_the_words(stage: Stage) -> None:
    assert "2 photos of 10" in (await stage.sees_album("one", "two"))[0]
    await stage.hears("together", reply_to_message=photo("one"))
    assert stage.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_albums_and_single_pictures_add_up_in_the_order_of_sending(stage: Stage) -> None:
    await stage.hears("/merge", reply_to_message=photo("zero"))
    await stage.sees_album("one", "two")
    await stage.sees("three")
    await stage.hears("together")
    assert stage.ordered() == (Operation.MERGE, "together", ("zero", "one", "two", "three"))


async def test_a_picture_handled_twice_counts_once(stage: Stage) -> None:
    await stage.hears("/merge")
    message = photo("one")
    for _ in range(2):
        assert "at least one more" in (await stage.gets(message))[0]


async def test_eleven_photos_are_too_many_however_they_come(stage: Stage) -> None:
    assert "10 photos at most" in (await stage.sees_album(*"abcdefghijk", caption="together"))[0]
    assert stage.photos.taken == []
    assert "as many as I can" in (await stage.sees_album(*"abcdefghij"))[0]
    assert "there would be 11" in (await stage.sees("k"))[0]
    await stage.hears("together")
    assert stage.ordered() == (Operation.MERGE, "together", tuple("abcdefghij"))


async def test_one_bad_picture_spoils_the_album(stage: Stage) -> None:
    stage.photos.refused["two"] = "photo-broken"
    assert "damaged" in (await stage.sees_album("one", "two", caption="together"))[0]
    assert stage.submitter.specs == []


@pytest.mark.parametrize("state", [Editing.picture, Retouching.picture, Upscaling.picture])
async def test_an_album_where_one_picture_is_asked_for_is_refused(stage: Stage, state: Any) -> None:
    await stage.bot.set_state(state)
    assert "One photo at a time" in (await stage.sees_album("one", "two"))[0]
    assert await stage.state() == state.state


async def test_an_album_of_one_is_a_photo(stage: Stage) -> None:
    await stage.sees_album("one", caption="make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("one",))


async def test_a_part_of_an_album_is_put_aside(stage: Stage) -> None:
    for caption in (None, "together", "/merge together"):
        assert await stage.sees("one", caption, media_group_id="g") == []
    assert len(stage.albums.parts) == 3
    assert stage.submitter.specs == []


async def test_a_part_that_comes_too_late_is_a_photo(stage: Stage) -> None:
    stage.albums.late = True
    assert await stage.sees("one", media_group_id="g") == ["What shall I do with it?"]
