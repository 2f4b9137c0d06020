"""Only processes that are surely ours are found and stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import processes

PROGRAM = Path(sys.executable).name
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def stubborn(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A process that ignores SIGTERM, marked with the name of the test."""
    command = [sys.executable, "-c", STUBBORN, f"mark={request.node.name}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_known_by_program_and_argument(
    stubborn: subprocess.Popen[str], request: pytest.FixtureRequest
) -> None:
    mark = f"mark={request.node.name}"
    assert processes.find(PROGRAM, mark) == [stubborn.pid]
    assert processes.find("another-program", mark) == []
    assert processes.find(PROGRAM, mark[:-1]) == []


def test_stop_ends_even_what_ignores_sigterm(stubborn: subprocess.Popen[str], request: pytest.FixtureRequest) -> None:
    processes.stop(lambda: processes.find(PROGRAM, f"mark={request.node.name}"), grace=0.2)
    assert stubborn.wait() == -9


def test_a_process_that_is_no_longer_ours_gets_no_signal(stubborn: subprocess.Popen[str]) -> None:
    processes.send(stubborn.pid, signal.SIGKILL, lambda pid: False)
    assert stubborn.poll() is None


def test_a_process_that_is_gone_is_fine(stubborn: subprocess.Popen[str]) -> None:
    stubborn.kill()
    stubborn.wait()
    processes.send(stubborn.pid, signal.SIGKILL, lambda pid: True)


def test_this_process_and_its_parents_are_known() -> None:
    assert {os.getpid(), os.getppid()} <= processes.own_line()
