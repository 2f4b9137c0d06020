"""What counts as an answer to a prompt, as lost, as seen twice, and as a stray text."""

from typing import Any

import pytest

from tests.faults.vps.chaos import missed
from tests.faults.vps.plan import LONG, SHORT, Plan
from tests.faults.vps.seen import Order, is_answer, look

FAILED = "Something broke on my side. Sorry! Please send it again."
FULL = "Too many people are waiting for pictures just now. Please send it again in a few minutes."
TAKEN = "3 pictures are on my list. Each comes when it is done."
ONE = Order(7, 100, ("a fox",), "words", 0.0)
LIST = Order(7, 200, ("an owl", "a hare", "a wren"), "batch", 0.0)


def message(number: int, **form: Any) -> dict[str, Any]:
    empty = {"from_bot": True, "text": None, "caption": None, "photo": None, "document": None}
    return empty | {"message_id": number, "reply_to": None, "deleted": False, "versions": []} | form


def answers(order: Order, *messages: dict[str, Any]) -> list[tuple[int, int]]:
    found, _ = look([order], messages)
    return [(len(one.pictures), len(one.sentences)) for one in found]


def strays(order: Order, *messages: dict[str, Any]) -> list[str]:
    return look([order], messages)[1]


def test_a_picture_that_replies_to_the_prompt_is_its_answer() -> None:
    assert answers(ONE, message(101, photo="file", reply_to=100)) == [(1, 0)]


def test_silence_and_a_status_message_are_no_answer() -> None:
    assert answers(ONE) == [(0, 0)]
    assert answers(ONE, message(101, text="On it! You're next.")) == [(0, 0)]
    assert answers(ONE, message(101, text="Drawing… 12 s", deleted=True)) == [(0, 0)]


def test_a_text_that_became_a_picture_is_one_picture() -> None:
    became = message(101, photo="file", reply_to=100, versions=[message(101, text="Here it is", reply_to=100)])
    assert answers(ONE, became) == [(1, 0)]
    assert strays(ONE, became) == []


def test_every_message_that_ever_showed_a_picture_counts_even_if_it_was_deleted() -> None:
    shown = message(101, photo="file", reply_to=100, deleted=True)
    assert answers(ONE, shown, message(102, document={"file_id": "file"}, reply_to=100)) == [(2, 0)]


def test_a_refusal_needs_not_reply_and_counts_beside_a_picture() -> None:
    assert answers(ONE, message(101, text=FULL)) == [(0, 1)]
    assert answers(ONE, message(101, text=FULL), message(102, photo="file", reply_to=100)) == [(1, 1)]


def test_a_picture_of_a_list_is_known_by_its_caption_and_a_failure_by_its_first_line() -> None:
    assert answers(
        LIST,
        message(201, text=TAKEN),
        message(202, photo="file", reply_to=200, caption="\u2068a hare\u2069"),
        message(203, text=f"a wren\n{FAILED}", reply_to=200),
    ) == [(0, 0), (1, 0), (0, 1)]


def test_one_sentence_about_a_list_answers_those_of_it_that_have_no_answer_of_their_own() -> None:
    assert answers(LIST, message(201, photo="file", reply_to=200, caption="an owl"), message(202, text=FULL)) == [
        (1, 0),
        (0, 1),
        (0, 1),
    ]


def test_what_stands_in_the_chat_and_belongs_nowhere_is_a_stray() -> None:
    assert strays(ONE, message(101, text="Here it is", reply_to=100)) == ["Here it is"]
    assert strays(ONE, message(101, text="On it! You're next.", deleted=True)) == []
    assert strays(LIST, message(201, text=TAKEN)) == []
    assert strays(LIST, message(201, text=TAKEN), message(202, text=TAKEN)) == [TAKEN]


@pytest.mark.parametrize(
    "text",
    [
        FAILED,
        FULL,
        "That's a lot at once, I need to catch my breath. Please try again in 17 seconds.",
        "У меня что-то сломалось. Простите! Пришлите запрос ещё раз.",
    ],
)
def test_sentences_are_known_in_both_languages_whatever_their_variables_hold(text: str) -> None:
    assert is_answer(text)


@pytest.mark.parametrize("plan", [LONG, SHORT])
def test_a_plan_ends_with_everything_running_and_time_to_answer(plan: Plan) -> None:
    assert max(fault.at for fault in plan.faults) < plan.over
    assert plan.drain >= 120


def test_the_long_plan_holds_every_fault() -> None:
    kinds = {(fault.kind, fault.target) for fault in LONG.faults}
    for target in ("imageworker", "imagebot", "redis-server@queue", "redis-server@cache"):
        assert ("kill", target) in kinds
    assert {kind for kind, _ in kinds} == {
        "kill", "stop", "restart-all", "reboot", "power-cut", "uplink-gone", "nfs-gone", "disk-full", "redis-full",
    }  # fmt: skip


GOOD: dict[str, Any] = {
    "prompts": 500, "lost": 0, "billed_twice": 0, "wrong_picture": 0, "seen_twice": 0, "longest_gap_s": 5.0,
    "not_running": [], "left": {"queued": 0, "leased": 0}, "counters": {"cache_hits": "3"},
}  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        {"lost": 1}, {"billed_twice": 1}, {"wrong_picture": 1}, {"seen_twice": 1}, {"longest_gap_s": 5.1},
        {"not_running": ["imagebot@1 is failed"]}, {"left": {"queued": 0, "leased": 1}},
        {"counters": {"healed_requeued": "1"}},
    ],
)  # fmt: skip
def test_each_goal_can_be_missed(bad: dict[str, Any]) -> None:
    assert missed(GOOD) == []
    assert len(missed(GOOD | bad)) == 1
    assert missed(GOOD | {"prompts": 1000, "seen_twice": 1}) == []
