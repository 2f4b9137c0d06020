"""The bot under load, in small: it answers everything, and once."""

import os

import pytest

from tests.bench.bot_load import MIX, BotFigures, as_json, measure, table


@pytest.fixture(scope="module")
def figures() -> BotFigures:
    return measure(rate=20, seconds=3)


def test_every_update_is_answered_once(figures: BotFigures) -> None:
    assert figures.updates > 30
    assert figures.answered == figures.updates
    assert figures.answered_twice == 0


def test_everything_that_people_do_was_done(figures: BotFigures) -> None:
    assert all(figures.by_kind[kind].p50 > 0 for kind in MIX)
    assert figures.cached.p50 > 0


def test_our_own_process_has_its_cores_back(figures: BotFigures) -> None:
    assert figures.pinned == (len(os.sched_getaffinity(0)) > 1)


def test_the_report_has_a_row_for_each_kind(figures: BotFigures) -> None:
    text = table(figures)
    assert all(f"| {kind} |" in text for kind in MIX)
    assert as_json(figures)["answered"] == figures.answered
