"""The timetables: what happens when, as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WORKER: Final = "imageworker"
BOT: Final = "imagebot"
QUEUE: Final = "redis-server@queue"
CACHE: Final = "redis-server@cache"

ON_THE_VPS: Final = frozenset({"kill", "stop", "restart-all", "reboot", "disk-full", "redis-full"})
"""Faults that the agent on the VPS makes; the others are made from outside."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, ``at`` seconds after the first prompt, for ``seconds`` if it lasts.

    ``kill`` and ``stop`` (SIGKILL, SIGSTOP) take a ``target``: a unit, or ``imageworker`` or ``imagebot`` for any
    instance; a ``kill`` waits up to ``seconds`` for one that may be killed. ``uplink-gone`` takes Telegram, fal.ai
    and the world from the VPS, ``nfs-gone`` the media's server.
    """

    at: float
    kind: str
    target: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much people write for how long (s), what goes wrong meanwhile, and how long (s) answers may take then.

    A submit whose answer died with its worker is looked for at fal for 190 s after the last death, and only then
    repeated.
    """

    seconds: float
    faults: tuple[Fault, ...]
    prompts_per_s: float = 0.8
    drain: float = 600.0
    seed: int = 7

    @property
    def over(self) -> float:
        """When the last prompt is written and the last fault has passed."""
        return max([self.seconds, *(fault.at + fault.seconds for fault in self.faults)])


def every(gap: float, target: str, first: float, last: float, wait: float = 0.0) -> Iterator[Fault]:
    """Kill a target every ``gap`` seconds; each kill waits up to ``wait`` seconds for a victim."""
    for number in range(int((last - first) / gap) + 1):
        yield Fault(first + number * gap, "kill", target, wait)


LONG: Final = Plan(
    seconds=690,
    faults=(
        *every(4, WORKER, 8, 600),
        *every(30, BOT, 21, 600),
        *every(60, QUEUE, 47, 600),
        Fault(30, "stop", WORKER, 20),
        Fault(54, "stop", BOT, 20),
        Fault(63, "kill", CACHE),
        Fault(79, "restart-all"),
        Fault(90, "nfs-gone", seconds=60),
        Fault(155, "disk-full", seconds=60),
        Fault(220, "redis-full", seconds=60),
        Fault(285, "reboot"),
        Fault(375, "power-cut"),
        Fault(465, "uplink-gone", seconds=60),
        Fault(545, "uplink-gone", seconds=300),
    ),
)
"""What ``make faults TARGET=vps`` runs."""

SHORT: Final = Plan(
    seconds=100,
    faults=(
        *every(4, WORKER, 6, 98, wait=20),  # a slow machine starts its workers slowly, and some must die
        *every(30, BOT, 13, 98),
        Fault(26, "kill", QUEUE),
        Fault(55, "power-cut"),
    ),
)
"""What the playbooks' tests run."""
