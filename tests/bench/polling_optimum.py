"""Schedules of looks at a log-normal run time: what one costs, and what the best possible one costs.

Nothing is sampled: costs are integrals in closed form, and the optimum is a dynamic programme over a fine grid.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

_STANDARD: Final = NormalDist()
_STEP: Final = 0.25
"""Seconds of the grid on which the optimum's looks lie."""
_NEGLIGIBLE: Final = 1e-6
"""A schedule ends once a request outlives it with no more than this probability."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Expected looks at a request, and expected seconds from ready to seen."""

    polls: float
    delay: float


@dataclass(frozen=True, slots=True)
class LogNormal:
    """A distribution of run times: mean and standard deviation of the logarithms of seconds."""

    mu: float
    sigma: float

    @classmethod
    def from_median(cls, median: float, p95: float) -> "LogNormal":
        """Return the distribution with this median and 95th percentile, in seconds."""
        return cls(math.log(median), math.log(p95 / median) / _STANDARD.inv_cdf(0.95))

    @property
    def mean(self) -> float:
        """Seconds."""
        return math.exp(self.mu + self.sigma**2 / 2)

    def ready(self, seconds: float) -> float:
        """Return the share of requests that are ready after so many seconds."""
        return _STANDARD.cdf((math.log(seconds) - self.mu) / self.sigma) if seconds > 0 else 0.0

    def cost(self, looks: Iterable[float]) -> Cost:
        """Return what looks at these times cost (seconds, rising, endless or past every run time)."""
        polls = delay = before = 0.0
        for look in looks:
            unready = 1 - self.ready(before)
            if unready <= _NEGLIGIBLE:
                break
            polls += unready
            delay += self._late(before, look)
            before = look
        return Cost(polls, delay)

    def _late(self, start: float, end: float) -> float:
        """Expected wait until ``end`` of what gets ready after ``start``: the integral of F - F(start)."""
        return self._integral(end) - self._integral(start) - (end - start) * self.ready(start)

    def _integral(self, end: float) -> float:
        """The integral of F from 0: by parts, ``end`` times F(end) less the partial expectation."""
        if end <= 0:
            return 0.0
        deviation = (math.log(end) - self.mu) / self.sigma
        return end * self.ready(end) - self.mean * _STANDARD.cdf(deviation - self.sigma)

    def best_looks(self, price: float, shortest: float, longest: float) -> list[float]:
        """Return the looks that cost least when one look is worth ``price`` seconds of delay.

        The first may come at any time, the others ``shortest`` to ``longest`` seconds apart.
        """
        count = math.ceil(math.exp(self.mu - self.sigma * _STANDARD.inv_cdf(_NEGLIGIBLE)) / _STEP)
        unready = [1 - self.ready(step * _STEP) for step in range(count + 1)]
        integral = [self._integral(step * _STEP) for step in range(count + 1)]

        def best_after(now: int, least: int, most: int) -> tuple[float, int]:
            return min(
                (
                    price * unready[now]
                    + integral[then] - integral[now] - (then - now) * _STEP * (1 - unready[now])
                    + values[then],
                    then,
                )
                for then in range(now + least, min(count, now + most) + 1)
            )  # fmt: skip

        least, most = round(shortest / _STEP), round(longest / _STEP)
        values, nexts = [0.0] * (count + 1), [count] * (count + 1)
        for now in range(count - least, 0, -1):
            values[now], nexts[now] = best_after(now, least, most)
        looks = [best_after(0, 1, count)[1]]
        while looks[-1] < count:
            looks.append(nexts[looks[-1]])
        return [step * _STEP for step in looks]

    def best_cost(self, polls: float, shortest: float, longest: float) -> Cost:
        """Return the cost of the best schedule with so many looks, between two that are best for some price."""
        low, high = 0.1, 5.0  # looks are many at the low price, few at the high one
        for _ in range(9):
            price = math.sqrt(low * high)
            if self.cost(self.best_looks(price, shortest, longest)).polls > polls:
                low = price
            else:
                high = price
        many, few = (self.cost(self.best_looks(price, shortest, longest)) for price in (low, high))
        share = (polls - few.polls) / (many.polls - few.polls) if many.polls > few.polls else 0.0
        return Cost(polls, few.delay + share * (many.delay - few.delay))


def looks(intervals: Iterable[float]) -> Iterator[float]:
    """Return the times of looks with these waits before each."""
    return itertools.accumulate(intervals)
