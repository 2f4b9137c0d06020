"""When to ask fal whether a result is ready."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist, fmean, median
from typing import Final

POLL_INTERVAL_INITIAL = 2.0
"""Seconds between the first two looks, and the least between any two."""
POLL_INTERVAL_MAX = 10.0
"""Seconds: the most between two looks."""
POLL_BACKOFF_FACTOR = 1.5
"""Growth of the plain schedule's interval."""
POLL_JITTER = 0.1
"""Width of an interval's random part, as a share of the interval, so that jobs do not look in step."""
POLL_FIRST_LOOK = 0.15
"""The aware schedule's first look comes when this share of past requests was ready."""
POLL_PRICE = 0.4
"""Seconds of delay that saving one look is worth: a higher price gives fewer looks and later results."""

_STANDARD: Final = NormalDist()
_FORETOLD: Final = _STANDARD.cdf(3.0)
"""A request that runs longer than this share of the past ones is not one of their kind."""
_SPREAD_MIN: Final = 0.02
"""Least standard deviation of the logarithms: clocks and networks alone spread run times by two per cent."""
_RUN_TIME_MIN: Final = 0.1
"""Seconds: shorter run times count as this long."""


@dataclass(frozen=True, slots=True)
class PollingConfig:
    """A schedule's settings: intervals and ``price`` in seconds, the others are factors and shares."""

    initial: float = POLL_INTERVAL_INITIAL
    maximum: float = POLL_INTERVAL_MAX
    factor: float = POLL_BACKOFF_FACTOR
    jitter: float = POLL_JITTER
    first_look: float = POLL_FIRST_LOOK
    price: float = POLL_PRICE


@dataclass(frozen=True, slots=True)
class RunTimes:
    """A log-normal distribution of run times: mean and standard deviation of the logarithms of seconds."""

    mu: float
    sigma: float

    @classmethod
    def fit(cls, seconds: Sequence[float]) -> "RunTimes":
        """Fit to past run times (at least one).

        What lies more than three standard deviations from the median, as the median deviation tells them, is drawn in
        to there: one request that hung does not stretch the whole distribution.
        """
        logs = [math.log(max(_RUN_TIME_MIN, second)) for second in seconds]
        centre = median(logs)
        reach = 3 * max(_SPREAD_MIN, median(abs(value - centre) for value in logs) / _STANDARD.inv_cdf(0.75))
        logs = [min(centre + reach, max(centre - reach, value)) for value in logs]
        mu = fmean(logs)
        return cls(mu, max(_SPREAD_MIN, math.sqrt(fmean((value - mu) ** 2 for value in logs))))

    def quantile(self, share: float) -> float:
        """Return the seconds after which this share (between 0 and 1) of the requests is ready."""
        return math.exp(self.mu + self.sigma * _STANDARD.inv_cdf(share))

    def hazard(self, seconds: float) -> float:
        """Return how likely, per second, a request ends that has run so long (> 0, within reason)."""
        deviation = (math.log(seconds) - self.mu) / self.sigma
        return _STANDARD.pdf(deviation) / (_STANDARD.cdf(-deviation) * self.sigma * seconds)


def plain_intervals(config: PollingConfig, random: Random) -> Iterator[float]:
    """Endless waits before each look: exponential backoff from ``initial`` to ``maximum``, with jitter.

    The jitter only lengthens, and never past ``maximum``, so every wait is within the two limits.
    """
    interval = config.initial
    while True:
        yield min(config.maximum, interval * (1 + config.jitter * random.random()))
        interval = min(config.maximum, interval * config.factor)


def aware_intervals(
    past: RunTimes, elapsed: Callable[[], float], config: PollingConfig, random: Random
) -> Iterator[float]:
    """Endless waits before each look, by how long requests have taken; ``elapsed()`` is this one's age in seconds.

    The first look comes when a result becomes likely. The gaps after it follow the inspection density that is
    asymptotically best when a look costs ``price`` seconds of delay: looks come at the rate
    ``sqrt(hazard / (2 * price))`` (R. E. Barlow, F. Proschan, Mathematical Theory of Reliability, 1965, chapter 4;
    J. B. Keller, Optimum checking schedules for systems subject to random failure, Management Science 21, 1974).
    A request that outlives what the past foretells is looked at with backoff. Every wait but the first is within
    ``initial`` and ``maximum``; the first is no shorter than ``initial``.
    """
    first, foretold = past.quantile(config.first_look), past.quantile(_FORETOLD)
    gap = config.initial
    wait = first - max(0.0, elapsed())
    most = math.inf
    while True:
        yield min(most, max(config.initial, wait * (1 + config.jitter * (random.random() - 0.5))))
        most = config.maximum
        age = max(first, elapsed())
        gap = math.sqrt(2 * config.price / past.hazard(age)) if age <= foretold else gap * config.factor
        wait = gap = min(config.maximum, max(config.initial, gap))
