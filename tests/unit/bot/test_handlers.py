"""What the bot answers, handler by handler."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from aiogram import Dispatcher
from aiogram.methods import SendMessage
from redis.exceptions import ConnectionError as RedisConnectionError
from teremok import MockBot, MockChat, MockMessagePhoto, MockMessageText, MockUser

from app.bot.conversations import Conversation
from app.bot.dispatcher import make_dispatcher
from app.bot.intake import Accepted, QueueFull, TooMany
from app.bot.settings import BotSettings
from app.bot.texts import Texts
from app.core.requests import ImageRequest
from tests.unit.bot.people import People

TOKEN = "4242424242:AAF-imaginary_token-for-tests-0123456789"


@dataclass
class Intake:
    """Answers as it is told; remembers what it was asked."""

    outcome: Accepted | TooMany | QueueFull | Exception = field(default_factory=lambda: Accepted(ahead=0))
    taken: list[ImageRequest] = field(default_factory=list)

    async def __call__(self, request: ImageRequest, message_id: int) -> Accepted | TooMany | QueueFull:
        self.taken.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@dataclass
class Conversations:
    """One conversation for all."""

    conversation: Conversation = field(default_factory=Conversation)
    answered_meanwhile: bool = False

    async def load(self, request_id: str) -> Conversation:
        return self.conversation

    async def status_sent(self, request_id: str, message_id: int) -> bool:
        return not self.answered_meanwhile


@dataclass
class Delivery:
    """Remembers which status messages were to go."""

    removed: list[str] = field(default_factory=list)

    async def remove_status(self, request_id: str, chat_id: int) -> None:
        self.removed.append(request_id)


@dataclass
class Stage:
    """The dispatcher with its surroundings played."""

    intake: Intake = field(default_factory=Intake)
    conversations: Conversations = field(default_factory=Conversations)
    delivery: Delivery = field(default_factory=Delivery)

    def __post_init__(self) -> None:
        self.dispatcher: Dispatcher = make_dispatcher(
            Texts(),
            People(),
            settings=BotSettings(telegram_token=TOKEN),
            intake=self.intake,
            conversations=self.conversations,
            delivery=self.delivery,
        )
        self.bot = MockBot(self.dispatcher)

    async def hears(self, text: str, language: str = "en", **kwargs: Any) -> list[str]:
        """Let a person write; return what the bot answers."""
        result = await self.bot.dispatch(MockMessageText(text, user=MockUser(language_code=language), **kwargs))
        return [method.text for method in result.requests.all if isinstance(method, SendMessage)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(
    ("text", "language", "answer"),
    [
        ("/start", "en", "I turn words into pictures"),
        ("/start", "ru", "Я превращаю слова в картинки"),
        ("/help", "en", "up to 10 messages in 60 seconds"),
        ("/help", "ru", "не больше 10 сообщений за 60 секунд"),
        ("/start", "pt-br", "I turn words into pictures"),
        ("/nonsense", "en", "don't know this command"),
    ],
)
async def test_commands_are_answered_in_the_person_s_language(
    stage: Stage, text: str, language: str, answer: str
) -> None:
    [said] = await stage.hears(text, language)
    assert answer in said
    assert stage.intake.taken == []


async def test_a_prompt_is_taken_with_its_locale_and_an_id_from_its_update(stage: Stage) -> None:
    assert await stage.hears("  рыжая лиса ", "ru") == ["Принято! Ваша картинка следующая."]
    [request] = stage.intake.taken
    assert (request.prompt, request.locale, request.chat_id) == ("рыжая лиса", "ru", request.user_id)
    assert request.id.removeprefix("u").isdigit()


@pytest.mark.parametrize("text", ["\u200b", " \u2060 ", "x" * 2001])
async def test_what_is_no_prompt_is_not_taken(stage: Stage, text: str) -> None:
    assert len(await stage.hears(text)) == 1
    assert stage.intake.taken == []


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (Accepted(ahead=3), "3 pictures are ahead"),
        (TooMany(wait=12.3), "in 13 seconds"),
        (TooMany(wait=0.4), "in one second"),
        (QueueFull(), "Too many people are waiting"),
    ],
)
async def test_the_outcome_is_told(stage: Stage, outcome: Accepted | TooMany | QueueFull, answer: str) -> None:
    stage.intake.outcome = outcome
    [said] = await stage.hears("a fox")
    assert answer in said


@pytest.mark.parametrize("conversation", [Conversation(status_message_id=5), Conversation(ended=True)])
async def test_an_update_handled_again_shows_no_second_status(stage: Stage, conversation: Conversation) -> None:
    stage.conversations.conversation = conversation
    assert await stage.hears("a fox") == []


async def test_a_status_message_that_comes_after_the_answer_goes_again(stage: Stage) -> None:
    stage.conversations.answered_meanwhile = True
    await stage.hears("a fox")
    assert stage.delivery.removed == [stage.intake.taken[0].id]


async def test_a_photo_gets_a_friendly_answer(stage: Stage) -> None:
    result = await stage.bot.dispatch(MockMessagePhoto())
    [answer] = result.requests.send_message
    assert isinstance(answer, SendMessage)
    assert "only understand words" in answer.text


async def test_groups_are_left_in_peace(stage: Stage) -> None:
    assert await stage.hears("a fox", chat=MockChat(chat_id=-5, type="group")) == []
    assert stage.intake.taken == []


async def test_a_bug_is_an_apology_without_a_traceback(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.intake.outcome = RuntimeError("broken inside")
    assert await stage.hears("лиса", "ru") == ["У меня что-то пошло не так. Простите! Попробуйте ещё раз."]
    assert "broken inside" in caplog.text


async def test_what_redis_could_not_do_goes_back_to_the_inbox(stage: Stage) -> None:
    stage.intake.outcome = RedisConnectionError("away")
    with pytest.raises(RedisConnectionError):
        await stage.hears("a fox")


async def test_a_person_who_blocked_the_bot_meanwhile_is_no_error(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.bot.add_result(SendMessage, ok=False, error_code=403, description="Forbidden: bot was blocked by the user")
    await stage.hears("/start")
    assert "could not be handled" not in caplog.text
