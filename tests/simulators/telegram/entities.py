"""Text with marks: Telegram's HTML, the entities it finds by itself, and their units (UTF-16)."""

import html
import re
from typing import Any

from .errors import ApiError, bad

JSON = dict[str, Any]

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
_OUTERMOST = ("blockquote", "expandable_blockquote", "pre", "code", "text_link")
_INNERMOST = ("bold", "italic", "underline", "strikethrough", "spoiler", "custom_emoji")
_REFERENCE = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_NAME = re.compile(r"[^\s>/]*")
_ATTRIBUTE = re.compile(r"\s*([^\s=>/]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([a-zA-Z0-9.-]+)))?")
_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+)"
    r"|(?<![\w/])(?P<bot_command>/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?)"
    r"|(?<!\w)(?P<mention>@\w{4,32})"
    r"|(?<!\w)(?P<hashtag>\#\w+)"
)


def _order(entity: JSON) -> tuple[int, int, int]:
    """Entities go by place, the longer first, and among equals in the order that Telegram nests them."""
    kind = entity["type"]
    rank = _OUTERMOST.index(kind) - len(_OUTERMOST) if kind in _OUTERMOST else 0
    rank += _INNERMOST.index(kind) + 1 if kind in _INNERMOST else 0
    return entity["offset"], -entity["length"], rank


def units(text: str) -> int:
    """Give the length as Telegram counts it: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cant(text: str, at: int, reason: str) -> ApiError:
    offset = len(text[:at].encode())
    return bad(f"can't parse entities: {reason} at byte offset {offset}")


def _attributes(text: str, at: int, tag: str, start: int) -> tuple[JSON, int]:
    """Read attributes from `at` up to the tag's `>`; give them and the place after it."""
    found: JSON = {}
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at >= len(text):
            raise _cant(text, start, "Unclosed start tag")
        if text[at] == ">":
            return found, at + 1
        match = _ATTRIBUTE.match(text, at)
        if match is None:
            raise _cant(text, start, f'Empty attribute name in the tag "{tag}"')
        name, *values = match.groups()
        found[name.lower()] = html.unescape(next((value for value in values if value is not None), ""))
        at = match.end()


def _entity(tag: str, attributes: JSON, inside: str) -> JSON | None:
    kind: JSON = {"type": _TAGS[tag]}
    if tag == "a":
        url = attributes.get("href") or inside
        if not re.match(r"(https?|tg)://", url):
            return None
        kind["url"] = url
    elif tag == "pre" and attributes.get("language"):
        kind["language"] = attributes["language"]
    elif tag == "tg-emoji":
        kind["custom_emoji_id"] = attributes.get("emoji-id", "")
    elif tag == "blockquote" and "expandable" in attributes:
        kind["type"] = "expandable_blockquote"
    return kind


def parse_html(text: str) -> tuple[str, list[JSON]]:
    """Give the plain text and its entities; an error in Telegram's words if the marks are wrong."""
    plain: list[str] = []
    length = 0  # units of `plain`
    open_tags: list[tuple[str, JSON, int, int]] = []  # tag, attributes, units at start, pieces at start
    entities: list[JSON] = []
    at = 0
    while at < len(text):
        reference = _REFERENCE.match(text, at) if text[at] == "&" else None
        if text[at] != "<":
            piece = html.unescape(reference.group()) if reference else text[at]
            at = reference.end() if reference else at + 1
            plain.append(piece)
            length += units(piece)
            continue
        start = at
        if text.startswith("</", at):
            close = text.find(">", at)
            if close < 0:
                raise _cant(text, start, "Unclosed end tag")
            name = text[at + 2 : close].strip().lower()
            if not open_tags:
                raise _cant(text, start, "Unexpected end tag")
            tag, attributes, begun, pieces = open_tags.pop()
            if name and name != tag:
                reason = f'Unmatched end tag, expected "</{tag}>", found "</{name}>"'
                raise _cant(text, start, reason)
            if length > begun:
                entity = _entity(tag, attributes, "".join(plain[pieces:]))
                if entity:
                    entities.append({"offset": begun, "length": length - begun} | entity)
            at = close + 1
            continue
        match = _NAME.match(text, at + 1)
        name = match.group().lower() if match else ""
        if name not in _TAGS:
            raise _cant(text, start, f'Unsupported start tag "{name}"')
        attributes, at = _attributes(text, at + 1 + len(name), name, start)
        if name == "span" and attributes.get("class") != "tg-spoiler":
            raise _cant(text, start, 'Tag "span" must have class "tg-spoiler"')
        if name == "code" and open_tags and open_tags[-1][0] == "pre" and "class" in attributes:
            open_tags[-1][1]["language"] = attributes["class"].removeprefix("language-")
        open_tags.append((name, attributes, length, len(plain)))
    if open_tags:
        raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{open_tags[-1][0]}\"")
    return "".join(plain), entities


def trim(text: str, entities: list[JSON]) -> tuple[str, list[JSON]]:
    """Cut white space at both ends, as Telegram does, and move the entities with it."""
    stripped = text.strip()
    shift = units(text[: len(text) - len(text.lstrip())])
    whole = units(stripped)
    moved = []
    for entity in entities:
        begin = max(0, entity["offset"] - shift)
        end = min(whole, entity["offset"] + entity["length"] - shift)
        if end > begin:
            moved.append(entity | {"offset": begin, "length": end - begin})
    return stripped, moved


def detect(text: str) -> list[JSON]:
    """Find commands, links, mentions and hashtags, as Telegram does in every message."""
    return [
        {
            "type": match.lastgroup,
            "offset": units(text[: match.start()]),
            "length": units(match.group()),
        }
        for match in _FOUND.finditer(text)
    ]


def formatted(text: str, parse_mode: str | None, entities: list[JSON] | None) -> tuple[str, list[JSON]]:
    """Give text and entities of a bot's message, from a parse mode or from entities it gave itself."""
    if entities:
        whole = units(text)
        for entity in entities:
            if entity["offset"] < 0 or entity["offset"] + entity["length"] > whole:
                raise bad("can't parse entities: entity out of text bounds")
        marked = list(entities)
    elif not parse_mode:
        marked = []
    elif parse_mode.lower() == "html":
        text, marked = parse_html(text)
    else:
        raise bad("unsupported parse_mode")
    text, marked = trim(text, marked)
    taken = [(entity["offset"], entity["offset"] + entity["length"]) for entity in marked]
    for entity in detect(text):
        begin, end = entity["offset"], entity["offset"] + entity["length"]
        if all(end <= low or begin >= high for low, high in taken):
            marked.append(entity)
    return text, sorted(marked, key=_order)
