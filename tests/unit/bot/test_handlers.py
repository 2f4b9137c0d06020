"""What the bot answers, handler by handler."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiogram import Dispatcher
from aiogram.methods import SendMessage
from redis.exceptions import ConnectionError as RedisConnectionError
from teremok import MockBot, MockChat, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.requests.submission import ReplyTarget, RequestSpec
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.core.operations import Operation
from tests.unit.bot.people import People

TOKEN = "4242424242:AAF-imaginary_token-for-tests-0123456789"


@dataclass
class RequestSubmitter:
    """Takes everything, or breaks; remembers what it was asked."""

    error: Exception | None = None
    taken: list[tuple[RequestSpec, ReplyTarget, str]] = field(default_factory=list)

    async def submit(self, spec: RequestSpec, target: ReplyTarget, translate: Translator) -> bool:
        self.taken.append((spec, target, translate.locale))
        if self.error:
            raise self.error
        return True


@dataclass
class Harness:
    """The dispatcher with its surroundings played."""

    submitter: RequestSubmitter = field(default_factory=RequestSubmitter)
    people: People = field(default_factory=People)

    def __post_init__(self) -> None:
        self.dispatcher: Dispatcher = make_dispatcher(
            Texts(), self.people, settings=BotSettings(telegram_token=TOKEN), submitter=self.submitter
        )
        self.bot = MockBot(self.dispatcher)

    async def hears(self, text: str, language: str = "en", **kwargs: Any) -> list[str]:
        """Let a person write; return what the bot answers."""
        result = await self.bot.dispatch(MockMessageText(text, user=MockUser(language_code=language), **kwargs))
        return [method.text for method in result.requests.all if isinstance(method, SendMessage)]


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.mark.parametrize(
    ("text", "language", "answer"),
    [
        ("/start", "en", "I turn words into pictures"),
        ("/start", "ru", "Я превращаю слова в картинки"),
        ("/help", "en", "Up to 10 requests in 60 seconds"),
        ("/help", "ru", "Не больше 10 запросов за 60 секунд"),
        ("/start", "pt-br", "I turn words into pictures"),
        ("/nonsense", "en", "don't know this command"),
    ],
)
async def test_commands_are_answered_in_the_person_s_language(
    harness: Harness, text: str, language: str, answer: str
) -> None:
    [said] = await harness.hears(text, language)
    assert answer in said
    assert harness.submitter.taken == []


async def test_a_prompt_is_taken_with_its_locale_and_an_id_from_its_update(harness: Harness) -> None:
    assert await harness.hears("  рыжая лиса ", "ru") == []
    [(spec, target, locale)] = harness.submitter.taken
    assert (spec, locale) == (RequestSpec(Operation.CREATE, "рыжая лиса"), "ru")
    assert target.chat_id == target.user_id
    assert target.request_id.removeprefix("u").isdigit()


async def test_a_picture_has_the_size_and_number_that_its_person_chose(harness: Harness) -> None:
    await harness.hears("/start")
    [person] = harness.people.met
    harness.people.chosen[person] = {"size": "portrait", "pictures": "3"}
    await harness.hears("a fox")
    assert harness.submitter.taken[0][0].parameters == {
        "aspect_ratio": "3:4", "num_images": 3,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["\u200b", " \u2060 ", "x" * 2001])
async def test_what_is_no_prompt_is_not_taken(harness: Harness, text: str) -> None:
    assert len(await harness.hears(text)) == 1
    assert harness.submitter.taken == []


async def test_groups_are_left_in_peace(harness: Harness) -> None:
    assert await harness.hears("a fox", chat=MockChat(chat_id=-5, type="group")) == []
    assert harness.submitter.taken == []


async def test_a_bug_is_an_apology_without_a_traceback(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    harness.submitter.error = RuntimeError("broken inside")
    assert await harness.hears("лиса", "ru") == ["У меня что-то пошло не так. Простите! Попробуйте ещё раз."]
    assert "broken inside" in caplog.text


async def test_what_redis_could_not_do_goes_back_to_the_inbox(harness: Harness) -> None:
    harness.submitter.error = RedisConnectionError("away")
    with pytest.raises(RedisConnectionError):
        await harness.hears("a fox")


async def test_a_person_who_blocked_the_bot_meanwhile_is_no_error(
    harness: Harness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.bot.add_result(
        SendMessage, ok=False, error_code=403, description="Forbidden: bot was blocked by the user"
    )
    await harness.hears("/start")
    assert "could not be handled" not in caplog.text
