"""Pictures from people: what each way of sending them leads to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, SendMessage
from aiogram.types import (
    Animation,
    Chat,
    Document,
    InaccessibleMessage,
    Message,
    PhotoSize,
    Update,
)
from teremok import MockBot, MockCallbackQuery, MockMessagePhoto, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.orders.dialogues import Editing, Merging, Retouching, Upscaling
from app.bot.orders.intake import Order, Origin
from app.bot.orders.photo_menu import Deed, PhotoButton
from app.bot.orders.photos import Photos, PictureFile, picture_in
from app.bot.receiving.albums import ALBUM_FIELD, Albums
from app.bot.refusals import RefusedError
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Voice
from app.core.operations import Operation
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN

ANNA = MockUser(language_code="en")
update_ids = count(1_000_000)


@dataclass
class Intake:
    """Takes everything, or nothing."""

    takes: bool = True
    orders: list[tuple[Order, Origin]] = field(default_factory=list)

    async def __call__(self, order: Order, origin: Origin, voice: Voice) -> bool:
        self.orders.append((order, origin))
        return self.takes


class TakenIn(Photos):
    """Every picture is fine and has its file id for a media key, but for those that are not."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.taken: list[str] = []

    async def of(self, *messages: Message | None) -> str | None:
        files = [file for message in messages if message and (file := picture_in(message))]
        return await self.take_in(files[0]) if files else None

    async def take_in(self, file: PictureFile) -> str:
        if key := self.refused.get(file.file_id):
            raise RefusedError(key)
        self.taken.append(file.file_id)
        return file.file_id


class PutAside(Albums):
    """Remembers what it was given; may be too late for it."""

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.late = False

    async def add(self, message: Message, update_id: int) -> bool:
        self.parts.append(message.message_id)
        return not self.late


class Stage:
    """A bot and one person."""

    def __init__(self) -> None:
        self.intake, self.photos, self.albums = Intake(), TakenIn(), PutAside()
        self.bot = MockBot(
            make_dispatcher(
                Texts(),
                People(),
                settings=BotSettings(telegram_token=TOKEN),
                intake=self.intake,
                photos=self.photos,
                albums=self.albums,
            )
        )

    async def gets(self, event: Any) -> list[str]:
        """Let the bot get an update; return what it says."""
        result = await self.bot.dispatch(event)
        return [method.text for method in result.requests.all if isinstance(method, SendMessage)]

    async def hears(self, text: str, **kwargs: Any) -> list[str]:
        return await self.gets(MockMessageText(text, user=ANNA, **kwargs))

    async def sees(self, name: str, caption: str | None = None, **kwargs: Any) -> list[str]:
        return await self.gets(MockMessagePhoto(name, caption, user=ANNA, **kwargs))

    async def sees_album(self, *names: str, caption: str | None = None) -> list[str]:
        """An album as the inbox brings it, once it is whole; the caption is on its last picture."""
        captions = [None] * (len(names) - 1) + [caption]
        parts = [
            MockMessagePhoto(name, caption, user=ANNA, media_group_id="g").model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
            for name, caption in zip(names, captions, strict=True)
        ]
        update = {"update_id": next(update_ids), "message": parts[0], ALBUM_FIELD: parts}
        return await self.gets(Update.model_validate(update, context={"bot": self.bot}))

    async def presses(self, deed: Deed, photo: Message | None, message: Any = None) -> list[str]:
        menu = message or MockMessageText("menu", user=ANNA, reply_to_message=photo)
        return await self.gets(MockCallbackQuery(PhotoButton(deed=deed).pack(), user=ANNA, message=menu))

    def ordered(self) -> tuple[Operation, str, tuple[str, ...]]:
        """The only order."""
        [(order, _)] = self.intake.orders
        return order.operation, order.prompt, order.inputs

    async def state(self) -> str | None:
        return await self.bot.get_state()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    assert all(order.parameters == {} for order, _ in stage.intake.orders)


def photo(name: str = "photo") -> Message:
    return MockMessagePhoto(name, user=ANNA)


def document(kind: str | None = "image/png", **kwargs: Any) -> Message:
    file = Document(file_id="document", file_unique_id="d", mime_type=kind, file_size=100)
    return MockMessageText("", user=ANNA).model_copy(update={"text": None, "document": file, **kwargs})


# --- edit


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
    [(_, origin)] = stage.intake.orders
    assert origin == Origin("u77", ANNA.id, ANNA.id, message.message_id)


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
    assert stage.intake.orders == []
    assert await stage.state() == Editing.instruction.state


async def test_a_refused_order_can_be_sent_again(stage: Stage) -> None:
    stage.intake.takes = False
    await stage.hears("/edit", reply_to_message=photo())
    await stage.hears("make it winter")
    stage.intake.takes = True
    await stage.hears("make it winter")
    assert [order.inputs for order, _ in stage.intake.orders] == [("photo",), ("photo",)]
    assert await stage.state() is None


async def test_a_dialogue_whose_picture_is_forgotten_asks_for_it_again(stage: Stage) -> None:
    await stage.bot.set_state(Editing.instruction)
    assert "can't see that picture any more" in (await stage.hears("make it winter"))[0]
    assert await stage.state() is None


async def test_a_bad_caption_is_refused_before_the_picture_is_fetched(stage: Stage) -> None:
    assert "whole story" in (await stage.sees("photo", "x" * 2001))[0]
    assert stage.photos.taken == []


# --- retouch and upscale


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
    assert [(order.operation, order.inputs) for order, _ in stage.intake.orders] == [
        (operation, ("replied",)),
        (operation, ("photo",)),
    ]


# --- merge


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
    await stage.sees_album(*"abcdefghij")
    assert "there would be 11" in (await stage.sees("k"))[0]
    await stage.hears("together")
    assert stage.ordered() == (Operation.MERGE, "together", tuple("abcdefghij"))


async def test_one_bad_picture_spoils_the_album(stage: Stage) -> None:
    stage.photos.refused["two"] = "photo-broken"
    assert "damaged" in (await stage.sees_album("one", "two", caption="together"))[0]
    assert stage.intake.orders == []


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
    assert stage.intake.orders == []


async def test_a_part_that_comes_too_late_is_a_photo(stage: Stage) -> None:
    stage.albums.late = True
    assert await stage.sees("one", media_group_id="g") == ["What shall I do with it?"]


# --- the menu


async def test_a_photo_without_a_caption_gets_a_menu_in_reply(stage: Stage) -> None:
    message = photo()
    result = await stage.bot.dispatch(message)
    menu: Any = result.requests.send_message[0]
    buttons = [button for row in menu.reply_markup.inline_keyboard for button in row]
    assert {PhotoButton.unpack(button.callback_data).deed for button in buttons} == set(Deed)
    assert menu.reply_parameters.message_id == message.message_id
    assert stage.photos.taken == []


async def test_a_document_is_looked_at_before_anything_is_offered(stage: Stage) -> None:
    assert await stage.gets(document()) == ["What shall I do with it?"]
    stage.photos.refused["document"] = "photo-broken"
    assert "damaged" in (await stage.gets(document()))[0]


@pytest.mark.parametrize(
    ("deed", "operation"), [(Deed.RETOUCH, Operation.RETOUCH), (Deed.UPSCALE, Operation.UPSCALE)]
)
async def test_the_menu_retouches_and_enlarges(stage: Stage, deed: Deed, operation: Operation) -> None:
    message = photo()
    assert await stage.presses(deed, message) == []
    assert stage.ordered() == (operation, "", ("photo",))
    [(_, origin)] = stage.intake.orders
    assert (origin.user_id, origin.message_id) == (ANNA.id, message.message_id)


async def test_the_menu_asks_what_to_change(stage: Stage) -> None:
    assert "What should I change" in (await stage.presses(Deed.EDIT, photo()))[0]
    await stage.hears("make it winter")
    assert stage.ordered() == (Operation.EDIT, "make it winter", ("photo",))


async def test_the_menu_collects_for_a_merge(stage: Stage) -> None:
    assert "at least one more" in (await stage.presses(Deed.MERGE, photo("one")))[0]
    assert "2 photos" in (await stage.presses(Deed.MERGE, photo("two")))[0]
    assert await stage.state() == Merging.pictures.state


GONE = InaccessibleMessage(chat=Chat(id=ANNA.id, type="private"), message_id=5)


@pytest.mark.parametrize("deed", list(Deed))
@pytest.mark.parametrize(
    "menu", [GONE, MockMessageText("menu"), MockMessageText("menu", reply_to_message=MockMessageText("no picture"))]
)
async def test_a_button_without_its_photo_does_nothing(stage: Stage, deed: Deed, menu: Any) -> None:
    assert "can't see that picture any more" in (await stage.presses(deed, None, menu))[0]
    assert stage.intake.orders == []
    assert await stage.state() is None


async def test_a_press_is_answered_first_even_if_that_comes_too_late(stage: Stage) -> None:
    stage.bot.add_result(AnswerCallbackQuery, ok=False, error_code=400, description="Bad Request: query is too old")
    await stage.presses(Deed.RETOUCH, photo())
    assert isinstance(stage.bot.requests.all[0], AnswerCallbackQuery)
    assert stage.ordered() == (Operation.RETOUCH, "", ("photo",))


@pytest.mark.parametrize("data", ["p", "p:", "p:dance", "p:edit:more", "p:" + "x" * 60])
async def test_a_forged_button_does_nothing(stage: Stage, data: str) -> None:
    menu = MockMessageText("menu", user=ANNA, reply_to_message=photo())
    await stage.gets(MockCallbackQuery(data, user=ANNA, message=menu))
    assert stage.intake.orders == []


# --- what is no picture


@pytest.mark.parametrize("state", [None, Editing.picture, Editing.instruction, Merging.pictures, Retouching.picture])
async def test_a_command_is_no_instruction(stage: Stage, state: Any) -> None:
    await stage.bot.set_state(state)
    assert "don't know this command" in (await stage.sees("photo", "/paint"))[0]
    assert stage.intake.orders == []


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
    assert stage.intake.orders == []


async def test_a_picture_that_can_t_be_taken_in_orders_nothing(stage: Stage) -> None:
    stage.photos.refused["photo"] = "photo-unavailable"
    assert "could not get this picture" in (await stage.sees("photo", "make it winter"))[0]
    assert stage.intake.orders == []


async def test_the_refusal_is_in_the_person_s_language(stage: Stage) -> None:
    boris = MockUser(user_id=8, language_code="ru")
    stage.photos.refused["photo"] = "photo-broken"
    assert "файл повреждён" in (await stage.gets(MockMessagePhoto("photo", "зима", user=boris)))[0]


async def test_the_largest_size_is_worked_with(stage: Stage) -> None:
    sizes = [PhotoSize(file_id=f"{side}", file_unique_id="x", width=side, height=side) for side in (90, 1280, 320)]
    await stage.gets(MockMessagePhoto("photo", "winter", user=ANNA).model_copy(update={"photo": sizes}))
    assert stage.ordered() == (Operation.EDIT, "winter", ("1280",))
