"""What was tried of a class of attacks, and what became of it."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self

OUTPUT: Final = Path(__file__).parents[2] / "build" / "hostile" / "defects"
HEADER: Final = (
    "| class | tried | accepted | refused kindly | defects | peak memory | longest |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)
Outcome = Literal["accepted", "refused"]

_OTHERS: Final = (b"redis", b"tests.simulators")
"""Processes beside the bot and the worker: their memory is nobody's concern here."""


class DefectError(Exception):
    """An attack did what it must not do; says what."""


@dataclass
class Tally:
    """One row of the table."""

    name: str
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    defects: list[str] = field(default_factory=list)
    longest: float = 0.0
    """Seconds."""
    peak: int = 0
    """Bytes of the largest process."""

    def count(self, outcome: Outcome, seconds: float, of: int = 1) -> None:
        """Note what came of an attack, or of some."""
        self.tried += of
        if outcome == "accepted":
            self.accepted += of
        else:
            self.refused += of
        self.longest = max(self.longest, seconds)

    def defect(self, what: str, data: bytes) -> None:
        """Note a defect, and keep what causes it."""
        self.tried += 1
        self.defects.append(what)
        OUTPUT.mkdir(parents=True, exist_ok=True)
        name = "".join(char if char.isalnum() else "-" for char in self.name)
        path = OUTPUT / f"{name}-{len(self.defects)}"
        path.write_bytes(data)
        print(f"\ndefect: {self.name}: {what[:2000]}\n  {path}", flush=True)

    def row(self) -> str:
        """As a line of the table."""
        counts = f"{self.tried:,} | {self.accepted:,} | {self.refused:,} | {len(self.defects)}"
        return f"| {self.name} | {counts} | {self.peak / 2**20:.0f} MB | {self.longest:.1f} s |"

    def show(self) -> None:
        """Print how far it is, on one line."""
        line = f"{self.name}: {self.tried:,} tried, {self.refused:,} refused, {len(self.defects)} defects"
        print(f"\r\x1b[K{line}", end="", flush=True)

    @contextmanager
    def measured(self) -> Iterator[Self]:
        """Watch the memory of this process' descendants meanwhile, and show how far it is."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.1):
                self.peak = max(self.peak, largest())
                if int(time.monotonic() * 10) % 20 == 0:
                    self.show()

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield self
        finally:
            ended.set()
            watching.join()
            self.show()
            print(flush=True)


def largest() -> int:
    """Return the bytes that the largest of this process and its descendants takes."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    ours, sizes = {os.getpid()}, [0]
    for pid in sorted(parents):  # a parent has the lower number, unless numbers have begun anew
        if parents[pid] in ours:
            ours.add(pid)
    for pid in ours:
        try:
            if any(other in (Path("/proc") / str(pid) / "cmdline").read_bytes() for other in _OTHERS):
                continue
            pages = (Path("/proc") / str(pid) / "statm").read_text().split()[1]
        except OSError:
            continue
        sizes.append(int(pages) * os.sysconf("SC_PAGE_SIZE"))
    return max(sizes)
