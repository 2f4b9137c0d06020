"""/status, /cancel and /history, as a person meets them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, EditMessageMedia, EditMessageText, SendMessage, SendPhoto
from aiogram.types import InlineKeyboardMarkup, InputMediaDocument
from teremok import MockBot, MockCallbackQuery, MockMessageText, MockUser

from app.bot.delivery.picture_sender import PictureSender
from app.bot.dispatcher import make_dispatcher
from app.bot.requests.cancellation import Cancelled
from app.bot.requests.dialogues import Editing
from app.bot.settings import BotSettings
from app.bot.texts import Texts
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.requests import RequestState
from tests.integration.bot.harness import picture
from tests.unit.bot.people import People
from tests.unit.bot.records import Ledger, Records, Sky, record
from tests.unit.bot.test_handlers import TOKEN, RequestSubmitter

ANNA, BORIS = MockUser(7, language_code="en"), MockUser(8, language_code="ru")
QUEUED, SUBMITTED = RequestState.QUEUED, RequestState.SUBMITTED


class Cancellation:
    """Cancels records."""

    def __init__(self, records: Records) -> None:
        self.records = records

    async def __call__(self, request_id: str, user_id: int) -> Cancelled:
        found = await self.records.load(request_id)
        if found is None or found.request.user_id != user_id:
            return Cancelled.NOT_THEIRS
        if found.state.is_terminal:
            return Cancelled.TOO_LATE
        self.records.keep(replace(found, state=RequestState.CANCELLED))
        return Cancelled.DONE

    async def all(self, user_id: int) -> int:
        return len([await self(each.request.id, user_id) for each in await self.records.open_of(user_id)])


class Harness:
    """A bot and its records."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.records = Records()
        self.bot = MockBot()
        self.bot.dp = make_dispatcher(
            Texts(),
            People(),
            settings=BotSettings(telegram_token=TOKEN),
            submitter=RequestSubmitter(),
            requests=self.records,
            ledger=Ledger(),
            estimator=Sky(),
            cancellation=Cancellation(self.records),
            pictures=PictureSender(self.bot, MediaStore(f"file://{directory}")),
        )

    async def hears(self, text: str, user: Any = ANNA) -> list[Any]:
        """Let somebody write; return what the bot does at Telegram."""
        return list((await self.bot.dispatch(MockMessageText(text, user=user))).requests.all)

    async def press(self, data: str, user: Any = ANNA) -> list[Any]:
        """Let somebody press a button; return what the bot does at Telegram."""
        return list((await self.bot.dispatch(MockCallbackQuery(data, user=user))).requests.all)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def buttons(method: Any) -> dict[str, str]:
    """The buttons below a message: text -> data."""
    if method.reply_markup is None:
        return {}
    assert isinstance(method.reply_markup, InlineKeyboardMarkup)
    return {button.text: button.callback_data or "" for row in method.reply_markup.inline_keyboard for button in row}


# -- /status -----------------------------------------------------------------------------------------------------


async def test_status_lists_one_s_own_requests_with_their_standing(harness: Harness) -> None:
    harness.records.keep(
        record("u1", ANNA.id, SUBMITTED),
        record("u2", BORIS.id, QUEUED),
        record("u3", ANNA.id, QUEUED, operation=Operation.UPSCALE, prompt=""),
        record("u4", ANNA.id),
    )
    [said] = await harness.hears("/status")
    assert said.text.splitlines() == [
        "Your requests:",
        "1. Picture: \u2068a fox\u2069", "Drawing, usually about 20 s",
        "2. Upscale", "You are #3 in the queue.",
    ]  # fmt: skip
    assert buttons(said) == {"✖ 1": "x:u1:1", "✖ 2": "x:u3:1", "Cancel all": "xx"}


async def test_status_of_nothing_is_an_invitation(harness: Harness) -> None:
    [said] = await harness.hears("/status", BORIS)
    assert said.text == "Для вас сейчас ничего не рисуется и не ждёт очереди. Напишите, что нарисовать!"
    assert buttons(said) == {}


async def test_a_long_list_says_how_many_more_there_are(harness: Harness) -> None:
    harness.records.keep(*(record(f"u{number}", ANNA.id, QUEUED, prompt="ф" * 2000) for number in range(1, 31)))
    [said] = await harness.hears("/status")
    assert said.text.endswith("… and 10 more.")
    assert len(buttons(said)) == 21


# -- cancelling --------------------------------------------------------------------------------------------------


async def test_cancel_leaves_a_dialogue(harness: Harness) -> None:
    await harness.bot.set_state(Editing.instruction, ANNA.id)
    await harness.bot.set_data({"picture": "u1.jpg"}, ANNA.id)
    [said] = await harness.hears("/cancel")
    assert said.text == "All right, forget about it."
    assert await harness.bot.get_state(ANNA.id) is None
    assert await harness.bot.get_data(ANNA.id) == {}


async def test_cancel_offers_what_is_queued_or_being_drawn(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id, QUEUED))
    await harness.bot.set_state(Editing.instruction, ANNA.id)
    left, offered = await harness.hears("/cancel")
    assert left.text == "All right, forget about it."
    assert offered.text.splitlines()[0] == "What shall I cancel?"
    assert buttons(offered) == {"✖ 1": "x:u1:1"}


async def test_cancel_without_anything_to_cancel_says_so(harness: Harness) -> None:
    [said] = await harness.hears("/cancel")
    assert said.text == "There is nothing to cancel."


async def test_the_button_of_a_status_message_cancels_its_request(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id, QUEUED))
    [answer] = await harness.press("x:u1:0")
    assert isinstance(answer, AnswerCallbackQuery)
    assert answer.text == "Cancelled."
    assert harness.records.kept["u1"].state is RequestState.CANCELLED


async def test_a_button_of_a_list_brings_the_list_up_to_date(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id, QUEUED), record("u2", ANNA.id, QUEUED))
    _, edited = await harness.press("x:u1:1")
    assert isinstance(edited, EditMessageText)
    assert buttons(edited) == {"✖ 1": "x:u2:1"}
    _, edited = await harness.press("x:u2:1")
    assert edited.text == "Nothing is queued or being drawn for you. Tell me what to draw!"


async def test_all_can_be_cancelled_at_once_but_nobody_else_s(harness: Harness) -> None:
    harness.records.keep(
        record("u1", ANNA.id, QUEUED), record("u2", BORIS.id, QUEUED), record("u3", ANNA.id, SUBMITTED)
    )
    answer, _ = await harness.press("xx")
    assert answer.text == "Cancelled."
    assert [each.state for each in harness.records.kept.values()] == [
        RequestState.CANCELLED, QUEUED, RequestState.CANCELLED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "answered"),
    [
        ("x:u1:0", "Too late: that one has already ended."),
        ("x:u2:0", "This button has had its day. Look at /history for your latest pictures."),
        ("x:u404:0", "This button has had its day. Look at /history for your latest pictures."),
        ("xx", "There is nothing to cancel."),
    ],
)
async def test_what_can_not_be_cancelled_is_told_and_left_alone(harness: Harness, data: str, answered: str) -> None:
    harness.records.keep(record("u1", ANNA.id), record("u2", BORIS.id, QUEUED))
    answer, *_ = await harness.press(data)
    assert answer.text == answered
    assert harness.records.kept["u2"].state is QUEUED


# -- /history ----------------------------------------------------------------------------------------------------


async def test_history_begins_with_the_newest_picture(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id), record("u2", ANNA.id, prompt="a hare"), record("u3", BORIS.id))
    [photo] = await harness.hears("/history")
    assert isinstance(photo, SendPhoto)
    assert photo.photo == "photo-u2-0"
    assert photo.caption == "1 of 2 · \u2068a hare\u2069"
    assert buttons(photo)["🔄 Again"] == "r:again:u2:0"
    assert buttons(photo)["Older ▶"] == "h:1"


async def test_history_pages_through_all_pictures_of_all_results(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id, pictures=2, prompt=""), record("u2", ANNA.id))
    seen = []
    for position in range(3):
        answer, edited = await harness.press(f"h:{position}")
        assert isinstance(answer, AnswerCallbackQuery)
        assert isinstance(edited, EditMessageMedia)
        seen.append((edited.media.media, edited.media.caption))
    assert seen == [
        ("photo-u2-0", "1 of 3 · \u2068a fox\u2069"), ("photo-u1-0", "2 of 3"), ("photo-u1-1", "3 of 3"),
    ]  # fmt: skip
    assert buttons(edited)["📄 File"] == "r:file:u1:1"
    assert [text for text in buttons(edited) if "▶" in text or "◀" in text] == ["◀ Newer"]


@pytest.mark.parametrize(("position", "shown"), [(99, "photo-u1-0"), (-5, "photo-u2-0")])
async def test_a_page_that_is_gone_is_the_nearest_there_is(harness: Harness, position: int, shown: str) -> None:
    harness.records.keep(record("u1", ANNA.id), record("u2", ANNA.id))
    _, edited = await harness.press(f"h:{position}")
    assert edited.media.media == shown


async def test_a_history_of_nothing_is_an_invitation(harness: Harness) -> None:
    [said] = await harness.hears("/history")
    assert said.text == "Nothing here yet. Tell me what to draw!"
    assert [type(method) for method in await harness.press("h:0")] == [AnswerCallbackQuery]


async def test_somebody_else_s_page_shows_one_s_own_history(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id), record("u2", BORIS.id))
    _, edited = await harness.press("h:0", BORIS)
    assert edited.media.media == "photo-u2-0"


async def test_a_result_that_went_as_a_document_is_shown_as_one(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id))
    harness.bot.add_result(
        EditMessageMedia, ok=False, description="Bad Request: can't use file of type Document as Photo"
    )
    _, _, edited = await harness.press("h:0")
    assert isinstance(edited.media, InputMediaDocument)


async def test_a_picture_that_telegram_has_forgotten_is_sent_anew(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id))
    (harness.directory / "u1-0.jpg").write_bytes(picture())
    for method in (EditMessageMedia, EditMessageMedia):
        harness.bot.add_result(method, ok=False, description="Bad Request: wrong file identifier/HTTP URL specified")
    *_, edited = await harness.press("h:0")
    assert edited.media.media.data == picture()


async def test_a_picture_that_has_never_been_sent_is_shown_too(harness: Harness) -> None:
    """Its person had blocked the bot when it came home."""
    harness.records.keep(record("u1", ANNA.id), replace(record("u2", ANNA.id), file_ids=()))
    (harness.directory / "u2-0.jpg").write_bytes(picture())
    *_, photo = await harness.hears("/history")
    assert photo.photo.data == picture()
    assert photo.caption == "1 of 2 · \u2068a fox\u2069"


async def test_a_button_pressed_twice_changes_nothing(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id))
    harness.bot.add_result(EditMessageMedia, ok=False, description="Bad Request: message is not modified")
    assert len(await harness.press("h:0")) == 2


async def test_a_long_prompt_fits_below_its_picture(harness: Harness) -> None:
    harness.records.keep(record("u1", ANNA.id, prompt="🦊" * 2000))
    [photo] = await harness.hears("/history")
    assert isinstance(photo, SendPhoto)
    assert photo.caption
    assert len(photo.caption.encode("utf-16-le")) // 2 <= 1024


async def test_a_picture_of_which_nothing_is_left_is_regretted(harness: Harness) -> None:
    found = record("u1", ANNA.id)
    harness.records.keep(replace(found, file_ids=("",)))
    *_, said = await harness.hears("/history")
    assert isinstance(said, SendMessage)
    assert said.text == "I no longer have this picture in full quality. Sorry!"
