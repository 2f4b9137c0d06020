"""What counts as a prompt."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bot.delivery.excerpts import excerpt
from app.bot.requests.prompts import BlankPromptError, PromptTooLongError, clean_prompt
from app.core.operations import PROMPT_MAX_LENGTH


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t ", "\u00a0\u2003", "\u200b\u200c\u200d", "\u2060\ufeff", "\u202e\u200f", "\u2800",
     "\u3164 \uffa0", "\ufe0f", "\x00\x07"],
)  # fmt: skip
def test_nothing_to_be_seen_is_no_prompt(text: str) -> None:
    with pytest.raises(BlankPromptError):
        clean_prompt(text)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("  a fox \n", "a fox"),
        ("\u200b a fox", "a fox"),
        ("two\r\nlines", "two\nlines"),
        ("a\x00 fox\x1b", "a fox"),
        ("cafe\u0301", "caf\u00e9"),
        ("👩\u200d🚀 on the moon", "👩\u200d🚀 on the moon"),
        ("❤\ufe0f", "❤\ufe0f"),
        ("a\u00a0red\u200b fo\u00adx\ufeff", "a red fox"),
        ("ثعلب \u200fأحمر", "ثعلب \u200fأحمر"),
        ("<b>fox</b> & *hare*", "<b>fox</b> & *hare*"),
    ],
)
def test_a_prompt_is_trimmed_and_otherwise_left_as_it_is(text: str, prompt: str) -> None:
    assert clean_prompt(text) == prompt


@pytest.mark.parametrize("prompt", ["a fox", "ثعلب \u200fأحمر", "👩\u200d🚀 on the moon"])
def test_a_prompt_copied_from_a_caption_is_the_prompt_that_it_was(prompt: str) -> None:
    assert clean_prompt(excerpt(prompt)) == prompt


def test_the_length_is_counted_after_trimming() -> None:
    assert len(clean_prompt(" " * 50 + "x" * PROMPT_MAX_LENGTH)) == PROMPT_MAX_LENGTH
    with pytest.raises(PromptTooLongError) as error:
        clean_prompt("x" * (PROMPT_MAX_LENGTH + 1))
    assert error.value.length == PROMPT_MAX_LENGTH + 1


@given(st.text())
def test_whatever_people_send_is_a_clean_prompt_or_one_of_the_two_errors(text: str) -> None:
    try:
        prompt = clean_prompt(text)
    except (BlankPromptError, PromptTooLongError):
        return
    assert prompt == prompt.strip()
    assert clean_prompt(prompt) == prompt
    assert not [char for char in prompt if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
    prompt.encode()
