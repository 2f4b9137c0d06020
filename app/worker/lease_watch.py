"""Which leases stand still? A living worker's do not.

Judged by the looking worker's own monotonic clock: a step of Redis' clock, or of any host's, ends no lease.
"""

import math
import time
from collections.abc import Callable, Mapping


class LeaseWatch:
    """Remembers since when each lease has its score; one that has kept it for ``lease`` seconds is dead.

    That holds only as long as a living worker could have renewed it. So the watch begins anew after an outage of
    Redis, and after a gap of half a lease between two looks: Redis stalled then, or this process did.
    """

    def __init__(self, lease: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lease = lease
        self._clock = clock
        self._seen: dict[str, tuple[float, float]] = {}
        """Execution -> its score, and since when it is known to have it."""
        self._looked_at = -math.inf

    def begin_anew(self) -> None:
        """Forget what was seen: Redis was away."""
        self._seen.clear()

    def dead(self, scores: Mapping[str, float]) -> list[str]:
        """Return the executions whose leases are dead, given the scores (by execution) that Redis has just told."""
        at = self._clock()
        if at - self._looked_at > self._lease / 2:
            self.begin_anew()
        self._looked_at = at
        seen = {}
        for execution, score in scores.items():
            before, since = self._seen.get(execution, (score, at))
            seen[execution] = (score, since if before == score else at)
        self._seen = seen
        return [execution for execution, (_, since) in seen.items() if at - since >= self._lease]
