"""What counts as a list of prompts, and in which encodings."""

import codecs
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.bot.refusals import RefusedError
from app.bot.requests.prompt_lists import LIST_MAX, decode, read_list
from app.core.operations import PROMPT_MAX_LENGTH

RUSSIAN = "рыжая лиса\r\nзаяц, ёж и «сова» — ночью\r\n"


def test_each_line_is_a_prompt_and_blank_ones_are_none() -> None:
    assert read_list("a fox\n\n  a hare \r\n\u200b\nan owl") == ["a fox", "a hare", "an owl"]


def test_repeated_lines_stay() -> None:
    assert read_list("a fox\na fox") == ["a fox", "a fox"]


@pytest.mark.parametrize(
    ("text", "key", "variables"),
    [
        ("", "batch-empty", {}),
        ("\n \u200b\n", "batch-empty", {}),
        ("a fox\n" * (LIST_MAX + 1), "batch-too-many", {"count": LIST_MAX + 1, "limit": LIST_MAX}),
        ("a fox\n\n" + "x" * 2001, "batch-too-long", {"line": 3, "length": 2001, "limit": PROMPT_MAX_LENGTH}),
    ],
)
def test_what_is_no_list_is_refused_with_a_reason(text: str, key: str, variables: dict[str, int]) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_list(text)
    assert (refusal.value.key, refusal.value.variables) == (key, variables)


def test_twenty_prompts_are_a_list() -> None:
    assert len(read_list("\n".join(f"fox {number}" for number in range(LIST_MAX)) + "\n\n")) == LIST_MAX


@pytest.mark.parametrize(
    "data",
    [
        RUSSIAN.encode(),
        RUSSIAN.encode("utf-8-sig"),
        RUSSIAN.encode("cp1251"),
        codecs.BOM_UTF16_LE + RUSSIAN.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be"),
    ],
)
def test_a_file_is_read_whatever_program_wrote_it(data: bytes) -> None:
    assert read_list(decode(data)) == ["рыжая лиса", "заяц, ёж и «сова» — ночью"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_sixteen_bits_are_recognised_without_a_mark(encoding: str) -> None:
    assert read_list(decode("a fox\r\na hare\r\n".encode(encoding))) == ["a fox", "a hare"]


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("data", [_png(), b"PK\x03\x04" + bytes(range(256)), b"\x7fELF\x02\x01\x01" + bytes(60)])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedError, match="batch-no-text"):
        decode(data)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_refused(data: bytes) -> None:
    try:
        prompts = read_list(decode(data))
    except RefusedError:
        return
    assert all(prompt.strip() for prompt in prompts)


@given(st.lists(st.text("абвгд ёжЯ,.!—«»abc xyz", min_size=1).filter(str.strip), min_size=1, max_size=LIST_MAX))
def test_whatever_is_written_comes_out_of_any_encoding(prompts: list[str]) -> None:
    text = "\r\n".join(prompts)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1251"):
        data = text.encode(encoding)
        if encoding != "cp1251" or not _is_utf8(data):  # three letters of the one can be a letter of the other
            assert decode(data).lstrip("\ufeff") == text


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
