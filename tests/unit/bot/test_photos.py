"""From Telegram into the media store."""

import asyncio
import io
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Dispatcher
from aiogram.methods import GetFile
from aiogram.types import Animation, Document, PhotoSize
from PIL import Image
from teremok import MockBot, MockMessageDocument, MockMessagePhoto, MockMessageText

from app.bot.delivery.keyboards import result_keyboard
from app.bot.refusals import RefusedError
from app.bot.requests import downloads
from app.bot.requests.photos import BYTES_MAX, Photos, PictureFile, picture_in
from app.bot.requests.room import Room
from app.bot.requests.sanitised_image import SanitisedImage, sanitise
from app.bot.requests.sanitiser import Spent
from app.bot.texts import Texts, Translator
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.rate_limit import RateLimiter
from app.core.requests import ImageRequest, RequestRecord, RequestState, RequestStore


def jpeg(colour: str = "green") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def file(file_id: str = "f", size: int | None = None) -> PictureFile:
    return PictureFile(12345, file_id, size, is_checked=False)


class Requests(RequestStore):
    """Knows the requests that it is told."""

    def __init__(self, records: dict[str, RequestRecord]) -> None:
        self.records = records

    async def load(self, request_id: str) -> RequestRecord | None:
        return self.records.get(request_id)


class Limiter(RateLimiter):
    """Lets everything pass, or so many files, or says how long to wait."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.most = 1000
        self.counted = 0

    async def hit(self, user_id: int, requests: int = 1) -> float:
        if self.counted >= self.most:
            return 30.0
        self.counted += not self.wait
        return self.wait


class Disk(Room):
    """Has room, or none."""

    def __init__(self) -> None:
        self.full = False

    async def is_lacking(self) -> bool:
        return self.full


class Place:
    """A bot with files, and a store."""

    def __init__(self, directory: Path) -> None:
        self.bot = MockBot(Dispatcher())
        self.media = MediaStore(f"file://{directory}")
        self.limiter = Limiter()
        self.room = Disk()
        self.records: dict[str, RequestRecord] = {}
        self.shown: dict[tuple[int, int], tuple[str, int]] = {}
        self.photos = Photos(
            self.bot, self.media, Requests(self.records), self.limiter, self._normalise, self.room, self._shown_in
        )
        self.seconds = 0.9
        self.at_once = self.most_at_once = 0
        self.failures: list[Exception] = []
        stream = self.bot.session.stream_content

        async def stream_or_fail(*args: Any, **kwargs: Any) -> AsyncGenerator[bytes, None]:
            if self.failures:
                raise self.failures.pop(0)
            async for chunk in stream(*args, **kwargs):
                yield chunk

        self.bot.session.stream_content = stream_or_fail  # type: ignore[method-assign]  # to let downloads fail

    async def _normalise(self, data: bytes, spent: Spent) -> SanitisedImage:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        await spent(self.seconds)
        return sanitise(data)

    async def _shown_in(self, chat_id: int, message_id: int) -> tuple[str, int] | None:
        return self.shown.get((chat_id, message_id))

    async def refusal(self, picture: PictureFile) -> str:
        with pytest.raises(RefusedError) as caught:
            await self.photos.take_in(picture)
        return caught.value.key


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    async def sleep(_: float) -> None:
        """Nothing is waited for here."""

    monkeypatch.setattr("app.core.backoff.asyncio.sleep", sleep)
    return Place(tmp_path)


async def test_a_picture_is_stored_under_its_content(place: Place) -> None:
    place.bot.add_file("f", jpeg())
    key = await place.photos.take_in(file())
    assert key.startswith("inputs/")
    assert key.endswith(".jpg")
    assert Image.open(io.BytesIO(await place.media.get(key))).size == (64, 48)


async def test_the_same_picture_gets_the_same_key_and_another_another(place: Place) -> None:
    for file_id, colour in (("one", "green"), ("two", "green"), ("three", "red")):
        place.bot.add_file(file_id, jpeg(colour))
    one, two, three = await place.photos.take_in_all([file("one"), file("two"), file("three")])
    assert one == two != three


async def test_one_bad_picture_spoils_the_set(place: Place) -> None:
    place.bot.add_file("one", jpeg())
    place.bot.add_file("two", b"<html>")
    with pytest.raises(RefusedError, match="photo-not-a-picture"):
        await place.photos.take_in_all([file("one"), file("two")])


async def test_pictures_of_one_person_are_decoded_one_at_a_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for number in range(5):
        place.bot.add_file(str(number), jpeg())
    await place.photos.take_in_all([file(str(number)) for number in range(5)])
    assert place.most_at_once == 1


@pytest.mark.parametrize(("seconds", "counted"), [(0.2, 1), (3.7, 4), (15.0, 10)])
async def test_a_picture_counts_once_and_once_more_for_each_second_of_the_decoder(
    place: Place, seconds: float, counted: int
) -> None:
    place.bot.add_file("f", jpeg())
    place.seconds, place.limiter.most = seconds, 10
    assert await place.photos.take_in(file())
    assert place.limiter.counted == counted
    if counted == place.limiter.most:
        assert await place.refusal(file()) == "rate-limited"


async def test_nothing_is_taken_in_where_there_is_no_room(place: Place) -> None:
    place.bot.add_file("f", jpeg())
    place.room.full = True
    assert await place.refusal(file()) == "refused-no-room"
    place.room.full = False
    assert await place.photos.take_in(file())


async def test_what_says_that_it_is_too_large_is_not_even_asked_for(place: Place) -> None:
    assert await place.refusal(file(size=BYTES_MAX + 1)) == "photo-too-large"
    assert len(place.bot.requests) == 0


async def test_too_many_pictures_are_not_asked_for_either(place: Place) -> None:
    place.limiter.wait = 12.3
    assert await place.refusal(file()) == "rate-limited"
    assert len(place.bot.requests) == 0


async def test_what_telegram_finds_too_big_is_too_large(place: Place) -> None:
    place.bot.add_result(GetFile, ok=False, error_code=400, description="Bad Request: file is too big")
    assert await place.refusal(file()) == "photo-too-large"


async def test_what_is_larger_than_it_said_is_dropped_on_the_way(place: Place) -> None:
    place.bot.add_file("f", b"x" * (BYTES_MAX + 1))
    assert await place.refusal(file(size=10)) == "photo-too-large"


async def test_a_file_that_telegram_has_lost_is_unavailable(place: Place) -> None:
    place.bot.add_result(GetFile, ok=False, error_code=400, description="Bad Request: wrong file_id")
    assert await place.refusal(file()) == "photo-unavailable"


async def test_a_broken_download_is_begun_again(place: Place) -> None:
    place.bot.add_file("f", jpeg())
    place.failures = [aiohttp.ClientPayloadError(), TimeoutError()]
    assert await place.photos.take_in(file())


async def test_a_download_that_never_works_is_given_up(place: Place) -> None:
    place.bot.add_file("f", jpeg())
    place.failures = [aiohttp.ClientPayloadError() for _ in range(downloads.ATTEMPTS)]
    assert await place.refusal(file()) == "photo-unavailable"


def result(chat_id: int = 12345) -> RequestRecord:
    request = ImageRequest(id="u1", user_id=chat_id, chat_id=chat_id, locale="en", operation=Operation.CREATE)
    return RequestRecord(request, RequestState.DONE, media=("u1-0.png", "u1-1.png"))


@pytest.mark.parametrize(
    ("known", "number", "is_known"),
    [
        (result(), 1, True),
        (result(), 7, False),
        (result(), -1, False),
        (result(chat_id=666), 1, False),
        (None, 1, False),
    ],
)
async def test_a_result_of_the_bot_s_own_is_taken_in_full_quality(
    place: Place, known: RequestRecord | None, number: int, is_known: bool
) -> None:
    if known:
        place.records["u1"] = known
        await place.media.put("u1-1.png", b"as it was drawn")
    place.bot.add_file("f", jpeg())
    photo = MockMessagePhoto("f", reply_markup=result_keyboard(result(), number, Translator(Texts(), "en")))
    key = await place.photos.of(None, photo)
    assert key is not None
    assert (key == "u1-1.png") is is_known
    assert key.startswith("inputs/") is not is_known


async def test_a_result_that_is_no_longer_kept_is_taken_as_telegram_has_it(place: Place) -> None:
    place.records["u1"] = result()
    place.bot.add_file("f", jpeg())
    photo = MockMessagePhoto("f", reply_markup=result_keyboard(result(), 1, Translator(Texts(), "en")))
    key = await place.photos.of(photo)
    assert key is not None
    assert key.startswith("inputs/")


async def test_a_picture_of_an_album_of_the_bot_s_own_is_taken_in_full_quality(place: Place) -> None:
    place.records["u1"] = result()
    await place.media.put("u1-1.png", b"as it was drawn")
    photo = MockMessagePhoto("f", media_group_id="g")
    place.shown[photo.chat.id, photo.message_id] = ("u1", 1)
    assert await place.photos.of(photo) == "u1-1.png"


async def test_a_result_of_which_there_are_only_buttons_is_taken_as_telegram_has_it_when_it_is_gone(
    place: Place,
) -> None:
    place.bot.add_file("photo-1", jpeg())
    gone = replace(result(), file_ids=("photo-0", "photo-1"))
    assert (await place.photos.of_result(gone, 1)).startswith("inputs/")
    await place.media.put("u1-1.png", b"as it was drawn")
    assert await place.photos.of_result(gone, 1) == "u1-1.png"


async def test_of_several_messages_the_first_with_a_picture_counts(place: Place) -> None:
    place.bot.add_file("f", jpeg())
    text = MockMessageText("words")
    assert await place.photos.of(text, None, MockMessagePhoto("f")) is not None
    assert await place.photos.of(text, None) is None


def test_the_largest_size_of_a_photo_is_taken() -> None:
    sizes = [
        PhotoSize(file_id=name, file_unique_id=name, width=side, height=side, file_size=side)
        for name, side in (("small", 90), ("large", 1280), ("middle", 320))
    ]
    message = MockMessagePhoto().model_copy(update={"photo": sizes})
    assert picture_in(message) == PictureFile(12345, "large", 1280, is_checked=True)


@pytest.mark.parametrize(
    ("mime_type", "taken"),
    [("image/png", True), ("image/svg+xml", True), ("application/octet-stream", True), (None, True),
     ("application/pdf", False), ("text/plain", False)],
)  # fmt: skip
def test_documents_that_may_be_pictures_are_looked_at(mime_type: str | None, taken: bool) -> None:
    document = Document(file_id="d", file_unique_id="d", mime_type=mime_type, file_size=5)
    found = picture_in(MockMessageDocument().model_copy(update={"document": document}))
    assert found == (PictureFile(12345, "d", 5, is_checked=False) if taken else None)


def test_texts_and_animations_bring_no_picture() -> None:
    animation = Animation(file_id="a", file_unique_id="a", width=9, height=9, duration=1)
    assert picture_in(MockMessageText("hello")) is None
    assert picture_in(MockMessageDocument().model_copy(update={"animation": animation})) is None
