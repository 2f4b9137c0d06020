"""Both systems, side by side for a few seconds: whatever is offered is done, and billed once."""

import asyncio
from pathlib import Path

import pytest

from tests.bench.measure import Result, compare
from tests.bench.report import as_json, charts, table
from tests.bench.systems import Provider


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    provider = Provider(median=1.0, p95=2.0, picture_bytes=50_000)
    directory: Path = tmp_path_factory.mktemp("bench")
    return asyncio.run(compare(directory, [1.0, 5.0], 5.0, provider, workers=3, warm=20))


@pytest.mark.parametrize(("row", "system"), [(0, "stock"), (0, "ours"), (1, "ours")])
def test_every_job_that_was_offered_is_done_once_and_billed_once(
    results: list[Result], row: int, system: str
) -> None:
    figures = results[row].rows[system]
    assert figures["jobs_offered"] > 0
    assert figures["jobs_done"] == figures["jobs_offered"]
    assert figures["jobs_billed"] == figures["jobs_offered"]
    assert figures["jobs_ended_twice"] == 0


def test_stock_and_ours_were_offered_the_same(results: list[Result]) -> None:
    rows = results[0].rows
    assert rows["stock"]["jobs_offered"] == rows["ours"]["jobs_offered"]


def test_the_report_has_a_row_for_each_system_and_rate(results: list[Result]) -> None:
    report = as_json(results, {})
    assert [row["arrivals_per_s"] for row in report["stock"]] == [1.0]
    assert [row["arrivals_per_s"] for row in report["ours"]] == [1.0, 5.0]
    assert len(table(results).splitlines()) == 2 + 3
    assert all(chart.startswith("<svg") for chart in charts(results).values())
