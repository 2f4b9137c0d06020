"""How long a job takes: log-normal, told by its median and 95th percentile."""

import math
import random

_Z95 = 1.645  # the 95th percentile of the standard normal distribution


class Latency:
    """Draws of a log-normal distribution in seconds; the same seed gives the same draws in the same order."""

    def __init__(self, median_s: float, p95_s: float, seed: int | None = None) -> None:
        if not 0 < median_s <= p95_s:
            raise ValueError("0 < median_s <= p95_s is needed")
        self.median_s = median_s
        self.p95_s = p95_s
        self.sigma = math.log(p95_s / median_s) / _Z95
        self._random = random.Random(seed)

    def draw(self) -> float:
        """Give the seconds that the next job runs."""
        return self.median_s * math.exp(self.sigma * self._random.gauss(0, 1))
