"""What processes cost, read from /proc: CPU seconds and resident memory of trees of processes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> Iterator[int]:
    """Return a process and all its living descendants."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in children.read_text().split():
                yield from tree(int(child))
        except (FileNotFoundError, ProcessLookupError):
            continue


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that a tree has used, its dead and waited-for members included."""
    return sum(sum(map(int, _stat(member)[11:15])) for member in tree(pid)) / _TICKS


def rss_bytes(pid: int) -> int:
    """Return a tree's resident memory; what a child shares with its parent counts in both."""
    return sum(int((_stat(member)[21:22] or ["0"])[0]) for member in tree(pid)) * _PAGE


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; none if the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
