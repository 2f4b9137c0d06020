"""Whatever people send, the bot has no accident with it."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bot.people.commands import ADMIN_COMMANDS, COMMANDS
from app.core import redis_keys
from tests.integration.bot.conftest import Scene
from tests.support.waiting import wait_until

JSON = dict[str, Any]
UPDATE_IDS = itertools.count(1)
"""Numbers that Telegram has used long ago: those of the simulator are larger."""
BOT = {"id": 42, "is_bot": True, "first_name": "Bot"}
DATA_MAX = 64

words = st.one_of(
    st.text(min_size=1, max_size=80),
    st.text("\u200b\u200e\u202e\u2067\ufeff\ud7ff\U000e0001 *_`[<&>%{}\n", min_size=1, max_size=30),
    st.sampled_from(
        ["x" * 4096, "<b>fox</b>", "{ $seconds }", "%s%n", "\u202eexe.xof", "🦊" * 300, "https://t.me/x"]
    ),
)
commands = st.builds(
    "/{}{} {}".format, st.sampled_from([*COMMANDS, *ADMIN_COMMANDS, "x", ""]), st.sampled_from(["", "@bot"]), words
)
names = st.text(min_size=1, max_size=20)
sizes = st.integers(0, 2**40)
picture = st.fixed_dictionaries(
    {"file_id": names, "file_unique_id": names, "width": st.integers(0, 10**5), "height": st.integers(0, 10**5)},
    optional={"file_size": sizes},
)
file = st.fixed_dictionaries(
    {"file_id": names, "file_unique_id": names},
    optional={
        "mime_type": st.sampled_from(["image/jpeg", "image/gif", "image/", "text/plain", "video/mp4", "", "x"]),
        "file_name": st.one_of(names, st.just("list.txt"), st.just("../../etc/passwd.jpg")),
        "file_size": sizes,
    },
)
place = st.fixed_dictionaries({"latitude": st.floats(-90, 90), "longitude": st.floats(-180, 180)})
content = st.one_of(
    st.fixed_dictionaries({"text": st.one_of(words, commands)}),
    st.fixed_dictionaries({"photo": st.lists(picture, max_size=3)}, optional={"caption": st.one_of(words, commands)}),
    st.fixed_dictionaries({"document": file}, optional={"caption": st.one_of(words, commands)}),
    st.fixed_dictionaries({"photo": st.lists(picture, max_size=3), "media_group_id": st.sampled_from("abc")}),
    st.fixed_dictionaries({"location": place}),
    st.fixed_dictionaries({"contact": st.fixed_dictionaries({"phone_number": names, "first_name": names})}),
    st.just({"dice": {"emoji": "🎲", "value": 3}}),
    st.just({"left_chat_member": BOT}),
    st.fixed_dictionaries({"something_new": st.dictionaries(names, st.integers(), max_size=3)}),
)
pieces = st.sampled_from(["p", "r", "x", "xx", "h", "edit", "again", "u1", "-1", "9" * 20, ""])
data = st.one_of(st.text(min_size=1, max_size=DATA_MAX), st.builds(":".join, st.lists(pieces))).filter(
    lambda text: 0 < len(text.encode()) <= DATA_MAX
)


@st.composite
def messages(draw: st.DrawFn, person: int, *, replies: bool = True) -> JSON:
    name, language = draw(names), draw(st.sampled_from(["ru", "en", "xx-YY", "", "🦊"]))
    chat = {"id": person, "type": "private", "first_name": name}
    sender = {"id": person, "is_bot": False, "first_name": name, "language_code": language}
    message: JSON = {"message_id": draw(st.integers(1, 2**31)), "date": 0, "chat": chat, "from": sender}
    if replies and draw(st.booleans()):
        button = {"text": "x", "callback_data": draw(data)}
        message["reply_to_message"] = draw(messages(person, replies=False)) | {
            "from": BOT,
            "reply_markup": {"inline_keyboard": [[button]]},
        }
    message.update(draw(content))
    return message


@st.composite
def updates(draw: st.DrawFn, person: int) -> JSON:
    message = draw(messages(person))
    if draw(st.booleans()):
        return {"message": message}
    query = {"id": "1", "from": message["from"], "chat_instance": "1", "data": draw(data)}
    gone = {"chat": message["chat"], "message_id": 5, "date": 0}
    return {"callback_query": query | draw(st.sampled_from([{"message": message}, {"message": gone}, {}]))}


def test_whatever_people_send_has_an_answer_and_no_traceback(scene: Scene) -> None:
    people = [scene.person() for _ in range(8)]
    for each in people:
        each.say("/start")
        each.waits_for_text("I turn words into pictures")

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(who=st.sampled_from([each.id for each in people]), draw=st.data())
    def send(who: int, draw: st.DataObject) -> None:
        scene.telegram.post("/control/redeliver", update_id=next(UPDATE_IDS), **draw.draw(updates(who)))

    send()
    wait_until(lambda: scene.queue.client.xlen(redis_keys.INBOX) == 0, "all is handled", seconds=300)
    wait_until(lambda: scene.queue.client.zcard(redis_keys.ALBUMS) == 0, "all albums are handled")
    other = scene.person()
    other.say("/start")
    other.waits_for_text("I turn words into pictures")
    assert "Traceback" not in scene.bot.log()
    assert "could not be handled" not in scene.bot.log()


@pytest.mark.parametrize(
    "oddity",
    [
        {"date": None},
        {"date": {"$": 1}},
        {"chat": {"id": 7}},
        {"forward_origin": {"type": "from-a-newer-bot-api"}},
        {"poll": {"id": "1"}},
        {"text": {"deep": [[]]}},
    ],
    ids=lambda oddity: next(iter(oddity)),
)
def test_what_has_no_known_shape_is_set_aside_at_once_and_its_chat_goes_on(scene: Scene, oddity: JSON) -> None:
    person = scene.person()
    chat = {"id": person.id, "type": "private", "first_name": "Vera"}
    sender = {"id": person.id, "is_bot": False, "first_name": "Vera"}
    person.say("/start")
    person.waits_for_text("I turn words into pictures")
    before = scene.queue.client.xlen(redis_keys.INBOX_ASIDE)
    message = {"message_id": 1, "date": 1, "chat": chat, "from": sender, "caption": "my secret wish"}
    scene.telegram.post("/control/redeliver", update_id=next(UPDATE_IDS), message=message | oddity)
    person.say("/help")
    person.waits_for_text("Words alone")
    assert scene.queue.client.xlen(redis_keys.INBOX_ASIDE) == before + 1
    assert scene.worker.queued(person) == []
    assert "Traceback" not in scene.bot.log()
    assert "my secret wish" not in scene.bot.log()
    if "chat" not in oddity:
        person.waits_for_text("can't read this kind of message")
