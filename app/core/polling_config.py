"""When to ask fal whether a result is ready."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

POLL_INTERVAL_INITIAL = 2.0
"""Seconds between the first two looks, and the least between any two."""
POLL_INTERVAL_MAX = 10.0
"""Seconds: the most between two looks."""
POLL_BACKOFF_FACTOR = 1.5
"""Growth of the plain schedule's interval."""
POLL_JITTER = 0.1
"""Each interval is stretched by up to this share of itself, so that jobs do not look in step."""


@dataclass(frozen=True, slots=True)
class PollingConfig:
    """A schedule's settings, in seconds but for the two factors."""

    initial: float = POLL_INTERVAL_INITIAL
    maximum: float = POLL_INTERVAL_MAX
    factor: float = POLL_BACKOFF_FACTOR
    jitter: float = POLL_JITTER


def plain_intervals(config: PollingConfig, random: Random) -> Iterator[float]:
    """Endless waits before each look: exponential backoff from ``initial`` to ``maximum``, with jitter.

    The jitter only lengthens, and never past ``maximum``, so every wait is within the two limits.
    """
    interval = config.initial
    while True:
        yield min(config.maximum, interval * (1 + config.jitter * random.random()))
        interval = min(config.maximum, interval * config.factor)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the empirical quantile of ``values`` (not empty) by linear interpolation."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
