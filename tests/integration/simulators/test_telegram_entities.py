"""HTML marks become entities in UTF-16 units, or an error in Telegram's words."""

from typing import Any

import pytest
from hypothesis import given, strategies

from tests.simulators.telegram.entities import formatted, units
from tests.simulators.telegram.errors import ApiError

from .conftest import Telegram


@pytest.fixture(autouse=True)
def _person(telegram: Telegram) -> None:
    telegram.says(7)


@pytest.mark.parametrize(
    ("html", "text", "entities"),
    [
        ("<b>bold</b> and <i>not</i>", "bold and not", [("bold", 0, 4), ("italic", 9, 3)]),
        ("<strong><em>x</em></strong>", "x", [("bold", 0, 1), ("italic", 0, 1)]),
        ("😀 <u>x</u>", "😀 x", [("underline", 3, 1)]),
        ("  \n<s>x</s>  ", "x", [("strikethrough", 0, 1)]),
        ("1 &lt; 2 &amp;&#33; R&D", "1 < 2 &! R&D", []),
        ('<span class="tg-spoiler">x</span><tg-spoiler>y</tg-spoiler>', "xy", [("spoiler", 0, 1), ("spoiler", 1, 1)]),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", 0, 1)]),
        ("<code>/start</code> /start", "/start /start", [("code", 0, 6), ("bot_command", 7, 6)]),
        ("see https://a.example/x", "see https://a.example/x", [("url", 4, 19)]),
    ],
)
def test_marks(telegram: Telegram, html: str, text: str, entities: list[tuple[str, int, int]]) -> None:
    sent = telegram.ok("sendMessage", chat_id=7, text=html, parse_mode="HTML")
    assert sent["text"] == text
    found = [(entity["type"], entity["offset"], entity["length"]) for entity in sent.get("entities", [])]
    assert found == entities


def test_marks_with_more_to_say(telegram: Telegram) -> None:
    html = '<a href="https://a.example/?x=1&amp;y">a</a> <pre><code class="language-py">b</code></pre>'
    link, pre = (
        entity
        for entity in telegram.ok("sendMessage", chat_id=7, text=html, parse_mode="HTML")["entities"]
        if entity["type"] != "code"
    )
    assert (link["type"], link["url"]) == ("text_link", "https://a.example/?x=1&y")
    assert (pre["type"], pre["language"]) == ("pre", "py")


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("я<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", 'Unmatched end tag, expected "</b>", found "</i>" at byte offset 4'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("x<b", "Unclosed start tag at byte offset 1"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_wrong_marks(telegram: Telegram, html: str, reason: str) -> None:
    body = telegram.call("sendMessage", chat_id=7, text=html, parse_mode="HTML")
    assert (body["error_code"], body["description"]) == (400, f"Bad Request: can't parse entities: {reason}")


def test_entities_given_by_the_bot(telegram: Telegram) -> None:
    def sent(entity: dict[str, Any]) -> dict[str, Any]:
        return telegram.call("sendMessage", chat_id=7, text="hello", entities=[entity])

    assert sent({"type": "bold", "offset": 0, "length": 5})["result"]["entities"][0]["type"] == "bold"
    assert sent({"type": "bold", "offset": 3, "length": 5})["error_code"] == 400


PIECES = ["<", ">", "</", "b", "<b>", "</b>", "<i>", "</i>", "</>", "<a href='https://a.test'>", "</a>", "&lt;"]
PIECES += [
    "&",
    "&#0;",
    "&#55296;",
    "/start",
    " ",
    "\n",
    "😀",
    "я",
    "=",
    '"',
    "<pre>",
    "</pre>",
    "<code class='x'>",
    "</code>",
]


@given(strategies.lists(strategies.sampled_from(PIECES) | strategies.characters()).map("".join))
def test_any_text_is_either_refused_in_words_or_has_entities_within_it(html: str) -> None:
    try:
        text, entities = formatted(html, "HTML", None)
    except ApiError:
        return
    assert text == text.strip()
    for entity in entities:
        assert 0 <= entity["offset"] < entity["offset"] + entity["length"] <= units(text)


def test_only_html_is_understood(telegram: Telegram) -> None:
    body = telegram.call("sendMessage", chat_id=7, text="*x*", parse_mode="MarkdownV2")
    assert body["description"] == "Bad Request: unsupported parse_mode"
