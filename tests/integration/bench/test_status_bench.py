"""The measurement of status messages, in small."""

import pytest

from tests.bench.status_messages import StatusFigures, as_json, measure, table


@pytest.fixture(scope="module")
def figures() -> StatusFigures:
    return measure(people=60, seconds=6)


def test_telegram_has_nothing_to_refuse(figures: StatusFigures) -> None:
    assert figures.alive == 60
    assert figures.refused == 0


def test_everybody_sees_how_the_queue_moves(figures: StatusFigures) -> None:
    assert figures.edits_per_s > 0
    assert figures.changed_share > 0.5


def test_the_report_has_a_column_for_each_figure(figures: StatusFigures) -> None:
    head, _, row = table(figures).splitlines()
    assert head.count("|") == row.count("|") == len(as_json(figures)) + 1
