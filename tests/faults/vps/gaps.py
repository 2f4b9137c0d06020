"""How long jobs were in nobody's hands after their worker's death, from the agent's log. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gaps:
    """The longest gaps (s): of jobs that somebody could claim all the time, and of those for which Redis was away."""

    living: float
    redis_away: float
    count: int


def longest(log: Sequence[JSON]) -> Gaps:
    """Tell the gaps apart: while Redis does not answer nobody can claim anything, and all leases begin anew after it.

    ``log`` is in the order of time.
    """
    away: list[tuple[float, float]] = []
    for entry in log:
        if entry["event"] == "redis-away":
            away.append((float(entry["at"]), inf))
        elif entry["event"] == "redis-back" and away:
            away[-1] = (away[-1][0], float(entry["at"]))
    living, without = [0.0], [0.0]
    for entry in log:
        if entry["event"] == "taken-up":
            seconds = float(entry["seconds"])
            died, until = float(entry["died"]), float(entry["died"]) + seconds
            touched = any(begin < until and died < end for begin, end in away)
            (without if touched else living).append(seconds)
    return Gaps(max(living), max(without), len(living) + len(without) - 2)
