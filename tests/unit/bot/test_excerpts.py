"""People's words inside our sentences."""

import pytest

from app.bot.delivery.excerpts import excerpt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a fox", "a fox"),
        ("a\n\n  fox\t", "a fox"),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 9 + "…"),
        ("a red fo x asleep", "a red fo…"),
    ],
)
def test_a_prompt_is_one_short_line(text: str, shown: str) -> None:
    assert excerpt(text, 10) == f"\u2068{shown}\u2069"


def test_a_prompt_that_turns_the_direction_round_turns_only_itself() -> None:
    assert excerpt("\u202eschlafender Fuchs") + " #1" == "\u2068\u202eschlafender Fuchs\u2069 #1"
