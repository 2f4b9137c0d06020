"""Hypothesis for a given time: what it finds is made as small as it can be, and kept."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from tests.hostile.tally import DefectError, Outcome, Tally

T = TypeVar("T")

_ROUND: Final = 200
"""Examples with one seed."""
_DEFECTS_MAX: Final = 5
"""Defects of one target after which it is given up."""


def fuzz(
    tally: Tally,
    strategy: st.SearchStrategy[T],
    attempt: Callable[[T], Outcome],
    as_bytes: Callable[[T], bytes],
    seconds: float,
    *,
    first_seed: int = 0,
    of: int = 1,
) -> None:
    """Try what a strategy gives, until the time is over. ``of``: attacks in one example."""
    end, number = time.monotonic() + seconds, first_seed
    failing: list[T] = []

    def one(value: T) -> None:
        if time.monotonic() > end and not failing:
            return
        began = time.monotonic()
        try:
            outcome = attempt(value)
        except Exception:
            failing[:] = [value]
            raise
        tally.count(outcome, time.monotonic() - began, of)

    usual = settings(
        max_examples=_ROUND, deadline=None, database=None, verbosity=Verbosity.quiet, report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    while time.monotonic() < end and len(tally.defects) < _DEFECTS_MAX:
        number += 1
        failing.clear()
        try:
            seed(number)(usual(given(strategy)(one)))()
        except Exception as error:
            what = str(error) if isinstance(error, DefectError) else f"{type(error).__name__}: {error}"
            tally.defect(what, as_bytes(failing[0]) if failing else b"")


def attempt_one(tally: Tally, data: bytes, attempt: Callable[[], Outcome], name: str = "") -> None:
    """Try one attack by itself."""
    began = time.monotonic()
    try:
        outcome = attempt()
    except Exception as error:
        what = str(error) if isinstance(error, DefectError) else f"{type(error).__name__}: {error}"
        tally.defect(f"{name}: {what}", data)
    else:
        tally.count(outcome, time.monotonic() - began)
