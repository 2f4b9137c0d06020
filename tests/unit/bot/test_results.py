"""The buttons under results, as a person presses them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiogram.methods import AnswerCallbackQuery, EditMessageReplyMarkup, SendDocument, SendMessage
from aiogram.types import BufferedInputFile, Chat, Document, InaccessibleMessage, Message, Update
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from teremok import MockBot, MockCallbackQuery, MockUpdate, MockUser

from app.bot.delivery.keyboards import ALL, ResultAction, ResultButton, album_keyboard
from app.bot.delivery.picture_sender import PictureSender
from app.bot.dispatcher import make_dispatcher
from app.bot.handlers.results import SEED_MAX
from app.bot.requests.dialogues import Editing
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.core.media import MediaStore
from app.core.operations import Operation
from tests.integration.bot.harness import picture
from tests.unit.bot.people import People
from tests.unit.bot.photo_harness import TakenIn
from tests.unit.bot.records import Ledger, Records, record
from tests.unit.bot.test_handlers import TOKEN, RequestSubmitter

ANNA, BORIS = MockUser(7, language_code="en"), MockUser(8, language_code="ru")


class Harness:
    """A bot that has drawn two foxes for Anna."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.submitter, self.records, self.ledger = RequestSubmitter(), Records(), Ledger()
        self.bot = MockBot()
        self.bot.dp = make_dispatcher(
            Texts(),
            People(),
            settings=BotSettings(telegram_token=TOKEN),
            submitter=self.submitter,
            requests=self.records,
            ledger=self.ledger,
            pictures=PictureSender(self.bot, MediaStore(f"file://{directory}")),
            photos=TakenIn(),
        )
        self.records.keep(
            record("u1", ANNA.id, pictures=2, parameters={"image_size": "square_hd", "num_images": 2, "seed": 5})
        )

    async def press(self, action: str, request_id: str = "u1", number: Any = 0, user: Any = ANNA) -> list[Any]:
        """Let somebody press a button; return what the bot does at Telegram."""
        return await self.handle(self.pressed(f"r:{action}:{request_id}:{number}", user))

    def pressed(self, data: str, user: Any = ANNA) -> Update:
        """Return the update that a press brings."""
        return MockUpdate(callback_query=MockCallbackQuery(data, user=user))

    async def handle(self, update: Update) -> list[Any]:
        """Handle an update; return what the bot does at Telegram."""
        return list((await self.bot.dispatch(update)).requests.all)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


async def test_again_draws_the_same_anew(harness: Harness) -> None:
    [answer] = await harness.press("again")
    assert isinstance(answer, AnswerCallbackQuery)
    [(spec, target, _)] = harness.submitter.taken
    assert (spec.operation, spec.prompt, spec.fresh) == (Operation.CREATE, "a fox", True)
    assert {**spec.parameters, "seed": 5} == {"image_size": "square_hd", "num_images": 2, "seed": 5}
    assert (target.user_id, target.chat_id) == (ANNA.id, ANNA.id)


async def test_a_variation_changes_the_picture_it_stands_under(harness: Harness) -> None:
    await harness.press("variation", number=1)
    [(spec, *_)] = harness.submitter.taken
    assert (spec.operation, spec.prompt, spec.inputs) == (Operation.EDIT, "a fox", ("u1-1.jpg",))
    assert spec.fresh
    assert spec.parameters.keys() == {"image_size", "seed", "variation"}


@pytest.mark.parametrize("action", ["again", "variation"])
@pytest.mark.parametrize("operation", [Operation.UPSCALE, Operation.RETOUCH])
async def test_a_button_of_old_under_what_can_not_come_out_otherwise_says_so(
    harness: Harness, action: str, operation: Operation
) -> None:
    harness.records.keep(record("u2", ANNA.id, operation=operation, prompt=""))
    [answer] = await harness.press(action, "u2")
    assert "has had its day" in answer.text
    assert harness.submitter.taken == []


@pytest.mark.parametrize("action", ["again", "variation"])
async def test_each_press_brings_another_picture_and_a_press_handled_twice_the_same(
    harness: Harness, action: str
) -> None:
    first, second = harness.pressed(f"r:{action}:u1:0"), harness.pressed(f"r:{action}:u1:0")
    for update in (first, second, first):
        await harness.handle(update)
    seeds = [spec.parameters["seed"] for spec, *_ in harness.submitter.taken]
    assert seeds[0] == seeds[2] != seeds[1]
    assert all(0 <= seed <= SEED_MAX for seed in seeds)
    assert harness.submitter.taken[0][1] == harness.submitter.taken[2][1]


@pytest.mark.parametrize(("action", "operation"), [("upscale", Operation.UPSCALE), ("retouch", Operation.RETOUCH)])
async def test_the_picture_under_which_the_button_stands_is_improved(
    harness: Harness, action: str, operation: Operation
) -> None:
    await harness.press(action, number=1)
    [(spec, *_)] = harness.submitter.taken
    assert (spec.operation, spec.inputs) == (operation, ("u1-1.jpg",))


async def test_edit_asks_what_to_change_in_this_picture(harness: Harness) -> None:
    answer, question = await harness.press("edit", number=1)
    assert "Cancel" in str(question.reply_markup)
    assert isinstance(answer, AnswerCallbackQuery)
    assert isinstance(question, SendMessage)
    assert await harness.bot.get_state(ANNA.id) == Editing.instruction.state
    assert (await harness.bot.get_data(ANNA.id))["picture"] == "u1-1.jpg"


# -- several pictures ----------------------------------------------------------------------------------------------


async def test_a_picture_of_an_album_is_picked(harness: Harness) -> None:
    answer, edit = await harness.handle(harness.pressed("k:u1:1"))
    assert isinstance(answer, AnswerCallbackQuery)
    assert isinstance(edit, EditMessageReplyMarkup)
    assert edit.reply_markup == album_keyboard(harness.records.kept["u1"], 1, Translator(Texts(), "en"))


async def test_all_of_an_album_are_drawn_anew_together(harness: Harness) -> None:
    await harness.press("again", number=ALL)
    [(spec, *_)] = harness.submitter.taken
    assert spec.parameters["num_images"] == 2


async def test_the_files_of_an_album_come_together_and_once(harness: Harness) -> None:
    for number in (0, 1):
        (harness.directory / f"u1-{number}.jpg").write_bytes(picture(64 + number))
    update = harness.pressed(f"r:file:u1:{ALL}")
    _, *sent = await harness.handle(update)
    files = [method.document for method in sent if isinstance(method, SendDocument)]
    assert [file.data for file in files if isinstance(file, BufferedInputFile)] == [picture(64), picture(65)]
    assert not [method for method in await harness.handle(update) if isinstance(method, SendDocument)]


@pytest.mark.parametrize("data", ["k:u404:0", "k:u1:2", "k:u1:-2", "k:u2:-1", "k:u1:x", "k:u1", "r:edit:u1:-1"])
async def test_a_stale_or_forged_pick_does_nothing_and_says_so(harness: Harness, data: str) -> None:
    harness.records.keep(record("u2", ANNA.id))
    [answer] = await harness.handle(harness.pressed(data))
    assert "has had its day" in answer.text


async def test_nobody_picks_for_others(harness: Harness) -> None:
    [answer] = await harness.handle(harness.pressed("k:u1:1", BORIS))
    assert answer.text == "Эта кнопка своё отслужила. Ваши последние картинки — в /history."


# -- the file ----------------------------------------------------------------------------------------------------


def _document(file_id: str) -> Message:
    document = Document(file_id=file_id, file_unique_id=file_id)
    return Message(message_id=9, date=datetime.now(UTC), chat=Chat(id=7, type="private"), document=document)


async def test_the_file_is_the_picture_as_it_was_drawn(harness: Harness) -> None:
    (harness.directory / "u1-1.jpg").write_bytes(picture())
    *_, sent = await harness.press("file", number=1)
    assert isinstance(sent, SendDocument)
    assert isinstance(sent.document, BufferedInputFile)
    assert sent.document.data == picture()
    assert sent.document.filename == "picture.jpg"


async def test_the_file_is_uploaded_once(harness: Harness) -> None:
    (harness.directory / "u1-0.jpg").write_bytes(picture())
    harness.bot.add_result(SendDocument, _document("document-1"))
    await harness.press("file")
    *_, sent = await harness.press("file")
    assert sent.document == "document-1"


async def test_a_press_handled_twice_sends_one_file(harness: Harness) -> None:
    (harness.directory / "u1-0.jpg").write_bytes(picture())
    update = harness.pressed("r:file:u1:0")
    await harness.handle(update)
    assert [type(method) for method in await harness.handle(update)] == [AnswerCallbackQuery]


async def test_a_file_that_is_gone_is_regretted(harness: Harness) -> None:
    *_, sorry = await harness.press("file")
    assert sorry.text == "I no longer have this picture in full quality. Sorry!"


async def test_a_file_that_is_too_large_for_telegram_is_regretted(harness: Harness) -> None:
    (harness.directory / "u1-0.jpg").write_bytes(picture())
    harness.bot.add_result(SendDocument, ok=False, error_code=413, description="Request Entity Too Large")
    *_, sorry = await harness.press("file")
    assert sorry.text == "In full quality this picture is too large for Telegram. Sorry!"


# -- what is not to be pressed -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", list(ResultAction))
async def test_a_foreign_button_does_nothing_and_says_so(harness: Harness, action: ResultAction) -> None:
    [answer] = await harness.press(action, user=BORIS)
    assert isinstance(answer, AnswerCallbackQuery)
    assert answer.text == "Эта кнопка своё отслужила. Ваши последние картинки — в /history."
    assert harness.submitter.taken == []


@pytest.mark.parametrize(
    "data",
    [
        "r:again:u404:0",  # from last month: nothing is known of the request any more
        "r:again:u1:2",
        "r:again:u1:-2",
        "r:again:u1:99999999999999999999",
        "r:again:u1:x",
        "r:burn:u1:0",
        "r:again:u1",
        "r",
        "something from an older version",
        "settings:language:klingon:please",
    ],
)
async def test_a_stale_or_forged_button_does_nothing_and_says_so(harness: Harness, data: str) -> None:
    [answer] = await harness.handle(harness.pressed(data))
    assert isinstance(answer, AnswerCallbackQuery)
    assert answer.text == "This button has had its day. Look at /history for your latest pictures."
    assert harness.submitter.taken == []


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.text(min_size=1, max_size=64).filter(lambda data: data not in {"xx", "q"}))  # anybody's own
async def test_whatever_a_button_says_it_is_answered_once(harness: Harness, data: str) -> None:
    answers = await harness.handle(harness.pressed(data, BORIS))
    assert [type(answer) for answer in answers] == [AnswerCallbackQuery]


async def test_an_answer_that_comes_too_late_for_telegram_hinders_nothing(harness: Harness) -> None:
    harness.bot.add_result(AnswerCallbackQuery, ok=False, description="Bad Request: query is too old")
    await harness.press("again")
    assert len(harness.submitter.taken) == 1


async def test_a_button_of_a_message_that_is_gone_still_works(harness: Harness) -> None:
    gone = InaccessibleMessage(chat=Chat(id=ANNA.id, type="private"), message_id=4, date=0)
    query = MockCallbackQuery(ResultButton(action=ResultAction.AGAIN, request_id="u1", number=0).pack(), user=ANNA)
    await harness.handle(MockUpdate(callback_query=query.model_copy(update={"message": gone})))
    assert len(harness.submitter.taken) == 1
