"""Whatever dies, and whenever: every request ends once, and is paid for once."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench.systems import Ours, Provider
from tests.faults.__main__ import run
from tests.faults.chaos import Plan
from tests.faults.deadly_worker import POINTS

PLAN = Plan(
    rate=3.0, seconds=26.0, kills_from=2.0, kills_until=24.0, kill_every=3.0, pause_at=1.0, redis_from=8.0,
    restart_at=16.0, points_from=1.0, points_every=1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory: Path = tmp_path_factory.mktemp("chaos")
    provider = Provider(median=3.0, p95=6.0, picture_bytes=50_000)
    return run(Ours(directory, provider, 3 * PLAN.rate, workers=4), PLAN)


def test_every_request_ends_in_exactly_one_way(counts: dict[str, Any]) -> None:
    assert counts["accepted"] > 50
    assert counts["finished_once"] == counts["accepted"]
    assert counts["lost"] == counts["seen_twice"] == 0


def test_nothing_is_paid_for_twice(counts: dict[str, Any]) -> None:
    assert counts["billed_twice"] == 0


def test_only_a_submit_whose_answer_died_with_its_worker_fails(counts: dict[str, Any]) -> None:
    assert set(counts["failed"]) <= {"outcome-unknown"}
    assert counts["done"] + counts["outcome_unknown"] == counts["accepted"]
    assert counts["outcome_unknown"] <= counts["kills"]


def test_enough_has_died(counts: dict[str, Any]) -> None:
    assert counts["kills_by"].keys() == {"worker", "redis", *POINTS}
    assert counts["resumed"] > 5
    assert counts["rq_info_runs"] > 3


def test_nothing_is_left_behind(counts: dict[str, Any]) -> None:
    assert counts["left_in_redis"] == {}


def test_nothing_was_in_nobody_s_hands(counts: dict[str, Any]) -> None:
    assert counts["healed"] == {}
