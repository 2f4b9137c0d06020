"""The commands of those who run the bot, and what becomes of those whom they do not serve."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiogram.enums import ChatMemberStatus
from aiogram.methods import AnswerCallbackQuery, EditMessageText, SendMessage, SetMyCommands, TelegramMethod
from aiogram.types import (
    Chat,
    ChatMemberBanned,
    ChatMemberMember,
    ChatMemberUpdated,
    InlineKeyboardMarkup,
    Update,
    User,
)
from teremok import MockBot, MockCallbackQuery, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.settings import BotSettings
from app.bot.texts import Texts
from app.bot.users import stats
from app.bot.users.broadcast import Start
from app.bot.users.commands import ADMIN_COMMANDS, Menus
from app.bot.users.stats import Stats
from app.core import queues
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN

ADMIN, ANNA = MockUser(user_id=500, language_code="en"), MockUser(user_id=7, language_code="en")


@dataclass
class Broadcasts:
    """Answers as it is told; remembers what was wished."""

    start_answer: Start = Start.STARTED
    known: bool = True
    started: list[tuple[int, int, int]] = field(default_factory=list)

    async def start(self, chat_id: int, message_id: int, progress_id: int) -> Start:
        self.started.append((chat_id, message_id, progress_id))
        return self.start_answer

    async def stop(self, chat_id: int, progress_id: int) -> bool:
        return self.known

    async def discard(self, chat_id: int, progress_id: int) -> bool:
        return self.known


@dataclass
class Cancellation:
    """Remembers whose requests were to be cancelled."""

    people: list[int] = field(default_factory=list)

    async def all(self, user_id: int) -> int:
        self.people.append(user_id)
        return 1


class Harness:
    """A bot that is run by one person."""

    def __init__(self, contact: str = "") -> None:
        self.people, self.broadcasts, self.cancellation = People(), Broadcasts(), Cancellation()
        self.bot = MockBot()
        self.bot.dp = make_dispatcher(
            Texts(),
            self.people,
            settings=BotSettings(telegram_token=TOKEN, admins=[ADMIN.id], contact=contact),
            menus=Menus(self.bot, Texts(), self.people, [ADMIN.id]),
            broadcasts=self.broadcasts,
            cancellation=self.cancellation,
            redis=None,
        )

    async def hears(self, text: str, user: User = ADMIN, **kwargs: Any) -> list[SendMessage]:
        result = await self.bot.dispatch(MockMessageText(text, user=user, **kwargs))
        return [method for method in result.requests.all if isinstance(method, SendMessage)]

    async def says(self, text: str, user: User = ADMIN) -> str:
        [answer] = await self.hears(text, user)
        return answer.text

    async def press(self, data: str, user: User = ADMIN) -> list[TelegramMethod[Any]]:
        return list((await self.bot.dispatch(MockCallbackQuery(data, user=user))).requests.all)


@pytest.fixture
def harness() -> Harness:
    return Harness()


@pytest.mark.parametrize("command", ["/stats", "/vip 7", "/ban 7", "/unban 7", "/broadcast hello"])
async def test_to_others_there_are_no_such_commands(harness: Harness, command: str) -> None:
    assert "don't know this command" in await harness.says(command, ANNA)
    assert (harness.people.vip_ids, harness.people.banned_ids) == (set(), set())


async def test_others_can_not_forge_the_buttons_of_a_broadcast(harness: Harness) -> None:
    await harness.press("broadcast:send:3", ANNA)
    assert harness.broadcasts.started == []


async def test_an_admin_gets_their_menu_when_they_start_the_bot(harness: Harness) -> None:
    *menus, greeting = (await harness.bot.dispatch(MockMessageText("/start", user=ADMIN))).requests.all
    assert all(isinstance(menu, SetMyCommands) for menu in menus)
    assert isinstance(menus[0], SetMyCommands)
    assert {command.command for command in menus[0].commands} >= set(ADMIN_COMMANDS)
    assert isinstance(greeting, SendMessage)


async def test_stats_are_told_in_one_message(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(redis: object) -> Stats:
        return Stats(
            queued={queues.QUEUE_HIGH: 1, queues.QUEUE: 20, queues.QUEUE_LOW: 300}, running=40, workers=10,
            done=94, failed={"policy": 4, "timed-out": 2}, cache_hits=1, cache_misses=3,
            spend=12.345, people=5000, people_today=300,
        )  # fmt: skip

    monkeypatch.setattr(stats, "look", look)
    text = await harness.says("/stats")
    for part in (
        "1 first, 20 normal, 300 in batches",
        "40, with 10 workers",
        "94 done, 9.4 a minute",
        "Errors: 2.0% (failed: policy 4, timed-out 2)",
        "Cache hits: 25.0%",
        "$12.35 of $∞",
        "5,000, of them 300",
    ):
        assert part in text


async def test_vips_come_go_and_are_listed(harness: Harness) -> None:
    assert "7 is served first" in await harness.says("/vip 7")
    assert harness.people.vip_ids == {7}
    assert "Now: 7" in await harness.says("/vip")
    assert "7 waits like everybody" in await harness.says("/vip 7 off")
    assert "Now: –" in await harness.says("/vip")


@pytest.mark.parametrize(
    "command", ["/vip anna", "/vip -7", "/vip 7 on off", "/vip 99999999999999999", "/ban @anna", "/unban", "/ban ٧"]
)
async def test_what_is_no_id_changes_nothing_and_is_explained(harness: Harness, command: str) -> None:
    assert "<id>" in await harness.says(command)
    assert (harness.people.vip_ids, harness.people.banned_ids) == (set(), set())


async def test_a_ban_cancels_what_is_open(harness: Harness) -> None:
    assert "not served any more" in await harness.says(f"/ban {ANNA.id}")
    assert harness.people.banned_ids == {ANNA.id}
    assert harness.cancellation.people == [ANNA.id]


async def test_admins_can_not_ban_each_other(harness: Harness) -> None:
    assert "one of us" in await harness.says(f"/ban {ADMIN.id}")
    assert harness.people.banned_ids == set()


async def test_who_is_banned_hears_of_it_once_and_is_served_again_when_they_may(harness: Harness) -> None:
    harness.people.banned_ids.add(ANNA.id)
    assert "can't work for you" in await harness.says("a fox", ANNA)
    assert await harness.hears("a fox, please!", ANNA) == []
    [answered] = await harness.press("settings:size:square", ANNA)
    assert isinstance(answered, AnswerCallbackQuery)
    assert harness.people.chosen == {}
    assert "served again" in await harness.says(f"/unban {ANNA.id}")
    assert "I turn words into pictures" in await harness.says("/start", ANNA)


@pytest.mark.parametrize("user", [ANNA, MockUser(7, language_code="ru")])
async def test_who_is_banned_hears_whom_to_turn_to(user: User) -> None:
    harness = Harness(contact="@the_owner")
    harness.people.banned_ids.add(user.id)
    assert "@the_owner" in await harness.says("a fox", user)


async def test_a_broadcast_is_shown_before_it_is_sent(harness: Harness) -> None:
    harness.people.met = {7: "en"}
    draft, question = await harness.hears("/broadcast We are back!")
    assert draft.text == "We are back!"
    assert "2 people" in question.text  # the admin is one of them
    assert isinstance(question.reply_markup, InlineKeyboardMarkup)
    [[send, discard]] = question.reply_markup.inline_keyboard
    assert question.reply_parameters is not None
    draft_id = question.reply_parameters.message_id
    assert (send.callback_data, discard.callback_data) == (
        f"broadcast:send:{draft_id}",
        f"broadcast:discard:{draft_id}",
    )


async def test_any_message_can_be_broadcast_by_answering_it(harness: Harness) -> None:
    draft = MockMessageText("with a *style*", user=ADMIN)
    [question] = await harness.hears("/broadcast", reply_to_message=draft)
    assert question.reply_parameters is not None
    assert question.reply_parameters.message_id == draft.message_id


async def test_an_empty_broadcast_is_explained(harness: Harness) -> None:
    assert "Write /broadcast and the text" in await harness.says("/broadcast")


@pytest.mark.parametrize(
    ("start", "answer"),
    [(Start.STARTED, "On its way"), (Start.BUSY, "Another one"), (Start.KNOWN, "out of date")],
)
async def test_the_button_starts_it_and_tells_what_came_of_that(harness: Harness, start: Start, answer: str) -> None:
    harness.broadcasts.start_answer = start
    [answered] = await harness.press("broadcast:send:31")
    assert isinstance(answered, AnswerCallbackQuery)
    assert answer in str(answered.text)
    [(chat_id, message_id, _)] = harness.broadcasts.started
    assert (chat_id, message_id) == (ADMIN.id, 31)


@pytest.mark.parametrize(
    ("data", "known", "answer"),
    [
        ("broadcast:stop:31", True, "Stopping"),
        ("broadcast:stop:31", False, "out of date"),
        ("broadcast:discard:31", False, "out of date"),
    ],
)
async def test_a_broadcast_is_stopped_while_it_is_under_way(
    harness: Harness, data: str, known: bool, answer: str
) -> None:
    harness.broadcasts.known = known
    [answered] = await harness.press(data)
    assert isinstance(answered, AnswerCallbackQuery)
    assert answer in str(answered.text)


async def test_a_discarded_broadcast_loses_its_buttons(harness: Harness) -> None:
    _, edited = await harness.press("broadcast:discard:31")
    assert isinstance(edited, EditMessageText)
    assert edited.reply_markup is None


async def test_who_blocks_the_bot_is_written_to_no_more(harness: Harness) -> None:
    await harness.says("/start", ANNA)
    assert ANNA.id in harness.people.met
    bot = User(id=42, is_bot=True, first_name="Bot")
    change = ChatMemberUpdated(
        chat=Chat(id=ANNA.id, type="private"),
        from_user=ANNA,
        date=datetime.now(UTC),
        old_chat_member=ChatMemberMember(user=bot),
        new_chat_member=ChatMemberBanned(user=bot, until_date=datetime.now(UTC), status=ChatMemberStatus.KICKED),
    )
    await harness.bot.dispatch(Update(update_id=1, my_chat_member=change))
    assert ANNA.id not in harness.people.met
