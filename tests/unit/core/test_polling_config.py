"""When fal is asked: never too often, never too late, and as well as it can be done."""

import itertools
import math
from collections.abc import Iterator
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.polling_config import (
    POLL_INTERVAL_INITIAL,
    POLL_INTERVAL_MAX,
    PollingConfig,
    RunTimes,
    aware_intervals,
    plain_intervals,
)
from tests.bench.polling_optimum import LogNormal, looks

FAL = LogNormal.from_median(24, 45)


class Middle(Random):
    """Chance that never leans to either side: the schedule without its jitter."""

    def random(self) -> float:
        return 0.5


def waits(past: RunTimes, random: Random, age: float = 0.0) -> Iterator[float]:
    """The aware schedule of a request that is ``age`` seconds old, if looks take no time."""
    clock = [age]
    for wait in aware_intervals(past, lambda: clock[0], PollingConfig(), random):
        yield wait
        clock[0] += wait


def past(median: float = 24, p95: float = 45, count: int = 200) -> list[float]:
    """Run times that are spread like this distribution, without chance."""
    shape = LogNormal.from_median(median, p95)
    return [math.exp(shape.mu + shape.sigma * NormalDist().inv_cdf((i + 0.5) / count)) for i in range(count)]


def test_the_plain_schedule_doubles_no_further_than_the_limit() -> None:
    steady = list(itertools.islice(plain_intervals(PollingConfig(), Random(1)), 50))
    assert all(POLL_INTERVAL_INITIAL <= wait <= POLL_INTERVAL_MAX for wait in steady)
    assert steady[0] < 2.3
    assert steady[-1] == POLL_INTERVAL_MAX


@settings(deadline=None)
@given(
    seconds=st.lists(st.floats(0, 5000), min_size=2, max_size=200),
    seed=st.integers(0, 99),
    age=st.floats(-100, 10_000),
)
def test_whatever_the_past_was_the_aware_schedule_keeps_the_limits(
    seconds: list[float], seed: int, age: float
) -> None:
    first, *gaps = itertools.islice(waits(RunTimes.fit(seconds), Random(seed), age), 60)
    assert POLL_INTERVAL_INITIAL <= first <= 5500
    assert all(POLL_INTERVAL_INITIAL <= gap <= POLL_INTERVAL_MAX for gap in gaps)


def test_a_request_that_outlives_the_past_is_looked_at_seldom() -> None:
    gaps = list(itertools.islice(waits(RunTimes.fit(past()), Random(1), age=100), 12))
    assert gaps[-1] > 9


def test_the_first_look_comes_when_a_result_becomes_likely() -> None:
    times = RunTimes.fit(past())
    assert FAL.ready(next(waits(times, Middle()))) == pytest.approx(0.15, abs=0.01)


def test_a_resumed_request_is_looked_at_as_if_it_had_never_been_left() -> None:
    times = RunTimes.fit(past())
    assert next(waits(times, Middle(), age=10)) == pytest.approx(next(waits(times, Middle())) - 10)
    assert next(waits(times, Middle(), age=60)) == POLL_INTERVAL_INITIAL


@pytest.mark.parametrize(("median", "p95"), [(24, 45), (32, 96), (60, 80)])
def test_the_aware_schedule_is_within_15_percent_of_the_best_possible(median: float, p95: float) -> None:
    shape = LogNormal.from_median(median, p95)
    ours = shape.cost(looks(waits(RunTimes.fit(past(median, p95)), Middle())))
    best = shape.best_cost(ours.polls, POLL_INTERVAL_INITIAL, POLL_INTERVAL_MAX)
    assert ours.delay <= 1.15 * best.delay


def test_five_looks_at_most_find_a_result_within_two_seconds() -> None:
    cost = FAL.cost(looks(waits(RunTimes.fit(past()), Middle())))
    assert cost.polls <= 5
    assert cost.delay <= 2
    at_300_active = 300 / (FAL.mean + cost.delay) * cost.polls
    assert at_300_active <= 50


def test_the_plain_schedule_costs_what_it_is_known_to() -> None:
    cost = FAL.cost(looks(plain_intervals(PollingConfig(jitter=0), Random(1))))
    assert cost.polls == pytest.approx(5.4, abs=0.1)
    assert cost.delay == pytest.approx(4.9, abs=0.1)


def test_what_always_takes_the_same_time_is_looked_at_then() -> None:
    first, second, *_ = itertools.islice(waits(RunTimes.fit([30.0] * 20), Middle()), 5)
    assert 28 < first < 30
    assert second == POLL_INTERVAL_INITIAL


def test_one_outlier_moves_the_schedule_little() -> None:
    with_outlier = RunTimes.fit([*past(count=39), 900.0])
    assert with_outlier.quantile(0.15) == pytest.approx(RunTimes.fit(past()).quantile(0.15), rel=0.1)
    assert with_outlier.sigma == pytest.approx(FAL.sigma, rel=0.2)


def test_run_times_of_zero_are_run_times() -> None:
    assert next(waits(RunTimes.fit([0.0] * 20), Middle())) == POLL_INTERVAL_INITIAL
