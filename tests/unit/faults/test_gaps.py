"""Gaps on a living host are told from those for which Redis itself was away."""

from typing import Any

from tests.faults.vps.gaps import Gaps, longest


def taken_up(died: float, seconds: float) -> dict[str, Any]:
    return {"at": died + seconds, "event": "taken-up", "job": "u1", "died": died, "seconds": seconds}


def away(begin: float, end: float | None = None) -> list[dict[str, Any]]:
    back = [{"at": end, "event": "redis-back"}] if end else []
    return [{"at": begin, "event": "redis-away"}, *back]


def test_nothing_died() -> None:
    assert longest([]) == Gaps(0, 0, 0)


def test_redis_went_away_before_the_job_was_claimed() -> None:
    log = [taken_up(3, 2), *away(10, 12), taken_up(9, 20), taken_up(40, 4)]
    assert longest(log) == Gaps(living=4, redis_away=20, count=3)


def test_redis_was_away_when_the_worker_died_and_is_not_back() -> None:
    assert longest([*away(10), taken_up(11, 30)]) == Gaps(living=0, redis_away=30, count=1)


def test_an_outage_before_and_one_after_do_not_excuse_a_gap() -> None:
    assert longest([*away(1, 2), taken_up(2.5, 7), *away(9.6, 11)]) == Gaps(living=7, redis_away=0, count=1)
