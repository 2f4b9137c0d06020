"""Several pictures with words: merges."""

from typing import Any

import pytest

from app.bot.requests.dialogues import Editing, Retouching, Upscaling
from app.core.operations import Operation
from tests.unit.bot.photo_harness import Harness, photo


async def test_merge_collects_pictures_and_ends_with_the_words(harness: Harness) -> None:
    assert "2 to 10 photos" in (await harness.hears("/merge"))[0]
    assert "at least two" in (await harness.hears("together"))[0]
    assert "at least one more" in (await harness.sees("one"))[0]
    assert "at least two" in (await harness.hears("together"))[0]
    assert "2 photos of 10" in (await harness.sees("two"))[0]
    assert await harness.hears("put them together") == []
    assert harness.ordered() == (Operation.MERGE, "put them together", ("one", "two"))
    assert await harness.state() is None


async def test_a_caption_ends_the_collection(harness: Harness) -> None:
    await harness.hears("/merge")
    await harness.sees("one", "this is not enough")
    await harness.sees("two", "together")
    assert harness.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_an_album_with_a_caption_is_a_merge(harness: Harness) -> None:
    assert await harness.sees_album("one", "two", "three", caption="/merge together") == []
    assert harness.ordered() == (Operation.MERGE, "together", ("one", "two", "three"))


async def test_an_album_without_a_caption_asks_for_the_words(harness: Harness) -> None:
    assert "2 photos of 10" in (await harness.sees_album("one", "two"))[0]
    await harness.hears("together", reply_to_message=photo("one"))
    assert harness.ordered() == (Operation.MERGE, "together", ("one", "two"))


async def test_albums_and_single_pictures_add_up_in_the_order_of_sending(harness: Harness) -> None:
    await harness.hears("/merge", reply_to_message=photo("zero"))
    await harness.sees_album("one", "two")
    await harness.sees("three")
    await harness.hears("together")
    assert harness.ordered() == (Operation.MERGE, "together", ("zero", "one", "two", "three"))


async def test_a_picture_handled_twice_counts_once(harness: Harness) -> None:
    await harness.hears("/merge")
    message = photo("one")
    for _ in range(2):
        assert "at least one more" in (await harness.gets(message))[0]


async def test_eleven_photos_are_too_many_however_they_come(harness: Harness) -> None:
    assert "10 photos at most" in (await harness.sees_album(*"abcdefghijk", caption="together"))[0]
    assert harness.photos.taken == []
    assert "as many as I can" in (await harness.sees_album(*"abcdefghij"))[0]
    assert "there would be 11" in (await harness.sees("k"))[0]
    await harness.hears("together")
    assert harness.ordered() == (Operation.MERGE, "together", tuple("abcdefghij"))


async def test_one_bad_picture_spoils_the_album(harness: Harness) -> None:
    harness.photos.refused["two"] = "photo-broken"
    assert "damaged" in (await harness.sees_album("one", "two", caption="together"))[0]
    assert harness.submitter.specs == []


@pytest.mark.parametrize("state", [Editing.picture, Retouching.picture, Upscaling.picture])
async def test_an_album_where_one_picture_is_asked_for_is_refused(harness: Harness, state: Any) -> None:
    await harness.bot.set_state(state)
    assert "One photo at a time" in (await harness.sees_album("one", "two"))[0]
    assert await harness.state() == state.state


async def test_an_album_of_one_is_a_photo(harness: Harness) -> None:
    await harness.sees_album("one", caption="make it winter")
    assert harness.ordered() == (Operation.EDIT, "make it winter", ("one",))


async def test_a_part_of_an_album_is_put_aside(harness: Harness) -> None:
    for caption in (None, "together", "/merge together"):
        assert await harness.sees("one", caption, media_group_id="g") == []
    assert len(harness.albums.parts) == 3
    assert harness.submitter.specs == []


async def test_a_part_that_comes_too_late_is_a_photo(harness: Harness) -> None:
    harness.albums.late = True
    assert await harness.sees("one", media_group_id="g") == ["What shall I do with it?"]
