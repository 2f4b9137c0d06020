"""/batch, handler by handler."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiogram.methods import GetFile, SendMessage
from aiogram.types import Document, Message
from teremok import MockBot, MockMessageDocument, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.handlers.batch import Listing
from app.bot.refusals import RefusedError
from app.bot.requests.photos import Photos
from app.bot.requests.prompt_lists import FILE_MAX
from app.bot.requests.submission import ReplyTarget, RequestSpec
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.core.operations import Operation
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN

ANNA = MockUser(user_id=7, language_code="en")


@dataclass
class RequestSubmitter:
    """Takes batches whole, or nothing."""

    takes: bool = True
    batches: list[tuple[Sequence[RequestSpec], ReplyTarget]] = field(default_factory=list)

    async def submit_batch(self, specs: Sequence[RequestSpec], target: ReplyTarget, translate: Translator) -> int:
        self.batches.append((specs, target))
        return len(specs) if self.takes else 0

    @property
    def prompts(self) -> list[str]:
        [(specs, _)] = self.batches
        return [spec.prompt for spec in specs]


@dataclass
class Summaries:
    """Remembers which batches it was asked to sum up."""

    asked: list[str] = field(default_factory=list)

    async def sum_up(self, batch_id: str) -> bool:
        self.asked.append(batch_id)
        return True


class Files(Photos):
    """Counts files; may find that there were too many."""

    def __init__(self) -> None:
        self.counted: list[int] = []
        self.refuses = False

    async def count(self, user_id: int) -> None:
        self.counted.append(user_id)
        if self.refuses:
            raise RefusedError("rate-limited", seconds=30)


class Harness:
    """A bot and one person."""

    def __init__(self) -> None:
        self.submitter, self.people, self.summaries, self.bot = RequestSubmitter(), People(), Summaries(), MockBot()
        self.files = Files()
        self.bot.dp = make_dispatcher(
            Texts(),
            self.people,
            settings=BotSettings(telegram_token=TOKEN),
            submitter=self.submitter,
            summaries=self.summaries,
            photos=self.files,
        )

    async def hears(self, message: Message | str, **kwargs: Any) -> str:
        if isinstance(message, str):
            message = MockMessageText(message, user=ANNA, **kwargs)
        said = (await self.bot.dispatch(message)).requests.all
        return "\n".join(method.text for method in said if isinstance(method, SendMessage))

    def file(
        self, data: bytes, name: str = "list.txt", kind: str = "text/plain", size: int | None = None, **kwargs: Any
    ) -> Message:
        """A message with a file of which Telegram says that it has ``size`` bytes."""
        self.bot.add_file("the-file", data)
        document = Document(
            file_id="the-file", file_unique_id="f", file_name=name, mime_type=kind, file_size=size or len(data)
        )
        return MockMessageDocument(user=ANNA, **kwargs).model_copy(update={"document": document})


@pytest.fixture
def harness() -> Harness:
    return Harness()


async def test_each_line_after_the_command_is_an_order(harness: Harness) -> None:
    harness.people.chosen[ANNA.id] = {"pictures": "2"}
    assert "2 pictures are on my list" in await harness.hears("/batch a fox\na hare")
    [(specs, target)] = harness.submitter.batches
    assert list(specs) == [
        RequestSpec(Operation.CREATE, "a fox", parameters={"num_images": 2}),
        RequestSpec(Operation.CREATE, "a hare", parameters={"num_images": 2}),
    ]
    assert (target.user_id, target.chat_id) == (ANNA.id, ANNA.id)
    assert target.request_id.removeprefix("u").isdigit()


async def test_the_same_line_twice_is_two_pictures(harness: Harness) -> None:
    await harness.hears("/batch\na fox\na fox\na hare")
    [(specs, _)] = harness.submitter.batches
    assert [spec.fresh for spec in specs] == [False, True, False]


async def test_without_a_list_one_is_asked_for_and_then_taken(harness: Harness) -> None:
    assert "up to 20 descriptions" in await harness.hears("/batch")
    assert "2 pictures" in await harness.hears("a fox\na hare")
    assert harness.submitter.prompts == ["a fox", "a hare"]
    assert await harness.bot.get_state(ANNA.id) is None


async def test_a_list_that_is_refused_may_be_sent_again(harness: Harness) -> None:
    await harness.hears("/batch")
    assert "21 lines" in await harness.hears("a fox\n" * 21)
    assert await harness.bot.get_state(ANNA.id) == Listing.prompts.state
    assert "20 pictures" in await harness.hears("a fox\n" * 20)


async def test_what_the_submitter_refuses_it_has_told_itself(harness: Harness) -> None:
    harness.submitter.takes = False
    assert await harness.hears("/batch a fox") == ""


async def test_a_batch_that_is_taken_in_part_may_have_ended_already(harness: Harness) -> None:
    await harness.hears("/batch a fox")
    assert harness.summaries.asked == []
    harness.submitter.takes = False
    await harness.hears("/batch a fox")
    assert harness.summaries.asked == [harness.submitter.batches[-1][1].request_id]


async def test_a_list_that_comes_too_early_may_be_sent_again(harness: Harness) -> None:
    await harness.hears("/batch")
    harness.submitter.takes = False
    await harness.hears("a fox\na hare")
    harness.submitter.takes = True
    assert "2 pictures" in await harness.hears("a fox\na hare")


async def test_commands_are_no_prompts_of_the_list(harness: Harness) -> None:
    await harness.hears("/batch")
    assert "Words alone" in await harness.hears("/help")
    assert harness.submitter.batches == []


async def test_a_file_may_bring_the_list(harness: Harness) -> None:
    assert "2 pictures" in await harness.hears(harness.file("лиса\r\nзаяц".encode("cp1251"), caption="/batch"))
    assert harness.submitter.prompts == ["лиса", "заяц"]


async def test_a_file_that_was_asked_for_needs_no_caption(harness: Harness) -> None:
    await harness.hears("/batch")
    await harness.hears(harness.file(b"a fox\na hare"))
    assert harness.submitter.prompts == ["a fox", "a hare"]


async def test_a_file_that_nobody_asked_for_is_no_list_until_it_is_answered_with_the_command(
    harness: Harness,
) -> None:
    file = harness.file(b"a fox\na hare")
    assert "Answer it with /batch" in await harness.hears(file)
    assert harness.submitter.batches == []
    assert "2 pictures" in await harness.hears("/batch", reply_to_message=file)
    assert harness.submitter.prompts == ["a fox", "a hare"]


@pytest.mark.parametrize(
    ("data", "name", "kind", "answer"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "list.txt", "text/plain", "can't read this file"),
        (b"a fox", "fox.docx", "application/msword", "can't read this file"),
        (b"", "list.txt", "text/plain", "can't see any words"),
        (b"x" * (FILE_MAX + 1), "list.txt", "text/plain", "too large"),
        (b"a fox\n" * 21, "LIST.TXT", "application/octet-stream", "21 lines"),
        (b"a fox\n" + b"x" * 2001, "list.txt", "text/plain", "Line 2 is a whole story"),
    ],
)
async def test_a_file_that_is_no_list_is_refused_kindly(
    harness: Harness, data: bytes, name: str, kind: str, answer: str
) -> None:
    assert answer in await harness.hears(harness.file(data, name, kind, caption="/batch"))
    assert harness.submitter.batches == []


async def test_a_file_counts_as_a_picture_does(harness: Harness) -> None:
    await harness.hears("/batch a fox")
    assert harness.files.counted == []
    await harness.hears(harness.file(b"a fox", caption="/batch"))
    assert harness.files.counted == [ANNA.id]
    harness.files.refuses = True
    assert "30 seconds" in await harness.hears(harness.file(b"a fox", caption="/batch"))
    assert len(harness.submitter.batches) == 2


async def test_a_file_that_is_announced_as_too_large_is_not_even_fetched(harness: Harness) -> None:
    await harness.hears(harness.file(b"x" * (FILE_MAX + 1), caption="/batch"))
    assert not [method for method in harness.bot.requests.all if isinstance(method, GetFile)]


async def test_a_file_larger_than_announced_is_refused_all_the_same(harness: Harness) -> None:
    assert "too large" in await harness.hears(harness.file(b"x" * (FILE_MAX + 1), size=12, caption="/batch"))


async def test_a_file_that_telegram_does_not_give_out_is_told(harness: Harness) -> None:
    harness.bot.add_result(GetFile, ok=False, description="Bad Request: wrong file_id or the file is unavailable")
    assert "does not give me this file" in await harness.hears(harness.file(b"a fox", caption="/batch"))
