"""Updates as nobody's Telegram should send them: ``CASES`` by name, and strategies of hypothesis for any number more.

An update here has no ``update_id``: whoever delivers it gives it one.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import strategies as st

from app.bot.users.commands import ADMIN_COMMANDS, COMMANDS

JSON = dict[str, Any]

SECRET_WISH: Final = "my secret wish"
"""What a log may never show."""
BOT: Final = {"id": 42, "is_bot": True, "first_name": "Bot"}
DATA_MAX: Final = 64
"""Bytes of what a button holds."""


# -- what anybody may send -------------------------------------------------------------------------------------------

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
    """What a person may send."""
    message = draw(messages(person))
    if draw(st.booleans()):
        return {"message": message}
    query = {"id": "1", "from": message["from"], "chat_instance": "1", "data": draw(data)}
    gone = {"chat": message["chat"], "message_id": 5, "date": 0}
    return {"callback_query": query | draw(st.sampled_from([{"message": message}, {"message": gone}, {}]))}


# -- what no Bot API of today sends ----------------------------------------------------------------------------------

values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.sampled_from([0, -1, 2**31, 2**53, 2**63, 2**64, 10**30]),
        st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20), words,
        st.sampled_from(["\ud800", "\udfff fox \ud800", "\0", "u1", "private", "photo", "mention"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*path, key) for key, _ in items] + [
        place for key, inner in items for place in _places(inner, (*path, key))
    ]


@st.composite
def spoiled(draw: st.DrawFn, person: int) -> JSON:
    """An update of which something is missing, of another kind, or somewhere else."""
    update: JSON = copy.deepcopy(draw(updates(person)))  # some of its parts are constants
    for _ in range(draw(st.integers(1, 3))):
        places = _places(update)
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        holder: Any = update
        for step in way:
            holder = holder[step]
        if isinstance(holder, dict) and draw(st.booleans()):
            del holder[last]
        else:
            holder[last] = draw(values)
    return update


# -- cases -----------------------------------------------------------------------------------------------------------


def message(person: int, **content: Any) -> JSON:
    """A message of a person's, with some of its fields replaced (``None`` is JSON's null)."""
    chat = {"id": person, "type": "private", "first_name": "Vera"}
    sender = {"id": person, "is_bot": False, "first_name": "Vera", "language_code": "en"}
    return {"message": {"message_id": 1, "date": 1, "chat": chat, "from": sender, **content}}


def press(person: int, data: Any, **more: Any) -> JSON:
    """A button that a person pressed."""
    inner = message(person, text="x")["message"]
    query = {"id": "1", "from": inner["from"], "chat_instance": "1", "data": data, "message": inner}
    return {"callback_query": query | more}


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def _wish(**odd: Any) -> Callable[[int], JSON]:
    return lambda person: message(person, caption=SECRET_WISH, **odd)


def _said(**content: Any) -> Callable[[int], JSON]:
    return lambda person: message(person, **content)


def _pressed(data: Any, **more: Any) -> Callable[[int], JSON]:
    return lambda person: press(person, data, **more)


def _other(kind: str, **content: Any) -> Callable[[int], JSON]:
    return lambda person: {kind: {"from": message(person)["message"]["from"], **content}}


UNREADABLE: Final[Mapping[str, Callable[[int], JSON]]] = {
    "no date": _wish(date=None),
    "a date that is an object": _wish(date={"$": 1}),
    "a date of the year 10^18": _wish(date=10**27),
    "an origin of a newer Bot API": _wish(forward_origin={"type": "from-a-newer-bot-api"}),
    "an incomplete poll": _wish(poll={"id": "1"}),
    "a poll without a voter": lambda _: {"poll_answer": {"poll_id": "1", "option_ids": "x"}},
    "a text of lists": _wish(text={"deep": [[]]}),
    "a text that is a number": _wish(text=5),
    "a photo that is no list": _wish(photo={"file_id": "x"}),
    "a photo of nothing": _wish(photo=[{}]),
    "a document without an id": _wish(document={"file_name": "x.jpg"}),
    "a message's id that is a word": _wish(message_id="x"),
    "a sender without a name": _wish(**{"from": {"id": 1}}),
    "entities of nothing": _wish(entities=[{}]),
    "a reaction of a newer Bot API": lambda person: {"message_reaction": {
        "chat": message(person)["message"]["chat"], "message_id": 1, "date": 1, "old_reaction": [],
        "new_reaction": [{"type": "from-a-newer-bot-api"}]}},
    "a member of a newer kind": lambda person: {"my_chat_member": {
        "chat": message(person)["message"]["chat"], "from": message(person)["message"]["from"], "date": 1,
        "old_chat_member": {"status": "ghost"}, "new_chat_member": {"status": "ghost"}}},
    "paid media of a newer kind": _wish(paid_media={"star_count": 1, "paid_media": [{"type": "smell"}]}),
    "a button with a number": _pressed(5),
    "a message that is a list": lambda _: {"message": []},
    "an update of one word": lambda _: {"message": "x"},
    "a kind of update of a newer Bot API": _other("from_a_newer_bot_api", text=SECRET_WISH),
    "an update of nothing": lambda _: {},
    "a list 200 deep where a text is": lambda person: message(person, text=nested(200)),
}  # fmt: skip
"""What aiogram cannot read: set aside. Who sent it hears of it, where it is known who that is."""

NOBODYS: Final = frozenset({
    "a poll without a voter", "a reaction of a newer Bot API", "a member of a newer kind", "a message that is a list",
    "an update of one word", "a kind of update of a newer Bot API", "an update of nothing",
})  # fmt: skip
"""Those among them that belong to no message or button of a private chat."""

ODD: Final[Mapping[str, Callable[[int], JSON]]] = {
    "half a surrogate pair in a command": _said(text="/nonsense \ud800"),
    "half a surrogate pair in a name": lambda person: message(
        person, text="/nonsense", **{"from": {"id": person, "is_bot": False, "first_name": "\udfff"}}
    ),
    "half a surrogate pair in a button": _pressed("\ud800"),
    "a field of a newer Bot API": _said(text="/nonsense", from_a_newer_bot_api={"deep": nested(200)}),
    "a message of nothing": _said(),
    "an empty text": _said(text=""),
    "a text of zero bytes": _said(text="\0\0"),
    "a text of blanks": _said(text="\u200b\u2060\u3164"),
    "an empty photo": _said(photo=[]),
    "a photo of negative sides": _said(
        photo=[{"file_id": "x", "file_unique_id": "x", "width": -5, "height": -2**40, "file_size": -1}]
    ),
    "a document of 2^60 bytes": _said(
        document={"file_id": "x", "file_unique_id": "x", "mime_type": "image/png", "file_size": 2**60}
    ),
    "a document whose name is a path": _said(
        document={"file_id": "../../x", "file_unique_id": "x", "mime_type": "image/../png", "file_name": "../\0x"}
    ),
    "a document of no Telegram's": _said(
        document={"file_id": "\r\nX: y", "file_unique_id": "x", "mime_type": "image/png"}
    ),
    "an album of one whose id is a script": _said(
        media_group_id="*]\n<script>", photo=[{"file_id": "x", "file_unique_id": "x", "width": 1, "height": 1}]
    ),
    "a button without data": _pressed(None),
    "a button of 10,000 letters": _pressed("x" * 10_000),
    "a button of colons": _pressed(":" * 60),
    "a button of another's result": _pressed("r:again:u1:0"),
    "a button whose number is none": _pressed("r:again:u1:" + "9" * 40),
    "a button of other digits": _pressed("r:again:u1:\u0661\u00b2"),
    "a button on no message": _pressed("r:again:u1:0", message=None),
    "a button on a message of no date": lambda person: press(
        person, "p:edit", message={"chat": message(person)["message"]["chat"], "message_id": 5, "date": 0}
    ),
    "a command of 4,096 slashes": _said(text="/" * 4096),
    "a command for another bot": _said(text="/help@another_bot"),
    "an admin's command": _said(text="/ban 5"),
    "an admin's command with a number of 4,000 digits": _said(text="/ban " + "9" * 4000),
    "a broadcast by nobody": _said(text="/broadcast all"),
    "entities that lie outside": _said(
        text="/nonsense", entities=[{"type": "bot_command", "offset": 2**40, "length": -7}]
    ),
    "a reply to nothing": lambda person: message(person, text="/no", reply_to_message=message(person)["message"]),
    "a sticker": _said(
        sticker={"file_id": "x", "file_unique_id": "x", "type": "regular", "width": 1, "height": 1,
                 "is_animated": False, "is_video": False}
    ),
    "a payment": _said(
        successful_payment={"currency": "XTR", "total_amount": 2**60, "invoice_payload": "x",
                            "telegram_payment_charge_id": "x", "provider_payment_charge_id": "x"}
    ),
    "an inline query": _other("inline_query", id="1", query="x" * 5000, offset=""),
    "a group": lambda person: {"message": message(person, text="/nonsense")["message"] | {
        "chat": {"id": -(10**12) - person, "type": "supergroup", "title": "x"}}},
    "a channel": lambda person: {"channel_post": {
        "message_id": 1, "date": 1, "text": SECRET_WISH, "chat": {"id": -(10**12) - person, "type": "channel"}}},
}  # fmt: skip
"""What can be read and means nothing: a sentence or silence."""

CASES: Final[Mapping[str, Callable[[int], JSON]]] = {**UNREADABLE, **ODD}

BODIES: Final[Mapping[str, bytes]] = {
    "nothing": b"",
    "half of an object": b"{",
    "no UTF-8": b"\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "NaN": b"NaN",
    "no number": b"{}",
    "a number that is a word": b'{"update_id": "1"}',
    "a number that is true": b'{"update_id": true}',
    "a number below zero": b'{"update_id": -1}',
    "a number with a fraction": b'{"update_id": 7.5}',
    "a number that is infinite": b'{"update_id": Infinity}',
    "a number of 4,000 digits": b'{"update_id": 1' + b"0" * 4000 + b"}",
    "a number of 5,000 digits": b'{"update_id": 1' + b"0" * 5000 + b"}",
    "lists 100,000 deep": b'{"update_id": 7000, "message": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "objects 100,000 deep": b'{"update_id": 7001, "message": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "UTF-16": '{"update_id": 7002'.encode("utf-16"),
}
"""Bodies that are no update at all."""
