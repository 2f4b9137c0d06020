"""Find and stop the lab's own processes.

A process is known by its program and one argument that only this lab gives it, read from /proc at the moment of use:
no pid file that can go stale, and a signal goes through a pidfd that was taken before the last look.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.lab.errors import LabError

PROC = Path("/proc")
KILL_SECONDS = 20.0


def arguments(pid: int) -> list[str]:
    """Return the argument list of a process, empty if it is gone or a zombie."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def is_ours(pid: int, program: str, argument: str) -> bool:
    """Tell whether `pid` runs `program` (its file name) with `argument` among its arguments."""
    first, *rest = arguments(pid) or [""]
    return Path(first).name == program and argument in rest


def find(program: str, argument: str) -> list[int]:
    """List the processes that run `program` with `argument`."""
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if is_ours(pid, program, argument)]


def find_titled(title: str) -> list[int]:
    """List the processes that call themselves `title`, as an ssh master connection does."""
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if arguments(pid)[:1] == [title]]


def send(pid: int, number: signal.Signals, still_ours: Callable[[int], bool]) -> None:
    """Signal `pid` if it is still the process it was taken for; one that is gone already is fine."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if still_ours(pid):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def stop(pids: Callable[[], Iterable[int]], grace: float = 5.0) -> None:
    """End the processes `pids` lists, first with SIGTERM and after `grace` seconds with SIGKILL.

    Raises:
        LabError: some outlive even that.
    """
    deadline = time.monotonic() + grace
    while remaining := set(pids()):
        late = time.monotonic() - deadline
        if late > KILL_SECONDS:
            raise LabError(f"processes {sorted(remaining)} don't end; look at them with ps, then try again")
        number = signal.SIGKILL if late > 0 else signal.SIGTERM
        for pid in remaining:
            send(pid, number, lambda candidate: candidate in set(pids()))
        time.sleep(0.05)


def own_line() -> set[int]:
    """Return this process and all it descends from: what must not be stopped on its behalf."""
    line = set()
    pid = os.getpid()
    while pid > 0:
        line.add(pid)
        status = (PROC / str(pid) / "stat").read_text()
        pid = int(status.rpartition(")")[2].split()[1])
    return line
