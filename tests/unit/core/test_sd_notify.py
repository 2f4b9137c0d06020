"""What systemd is told."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.sd_notify import notify, watchdog_interval

TOLD_WITHIN = 10.0
"""Seconds after which a message that was not sent is missed, instead of waited for."""


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(TOLD_WITHIN)
        listener.bind(str(tmp_path / "s"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        yield listener


def test_assignments_come_in_one_message(systemd: socket.socket) -> None:
    notify("READY=1", "STATUS=3 jobs")
    assert systemd.recv(100) == b"READY=1\nSTATUS=3 jobs"


def test_an_abstract_socket_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(TOLD_WITHIN)
        listener.bind("\0imagebot-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@imagebot-test-notify")
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_a_systemd_that_does_not_listen_holds_nobody_up(systemd: socket.socket) -> None:
    for _ in range(2_000):
        notify("WATCHDOG=1")
    systemd.close()
    notify("WATCHDOG=1")


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notify("READY=1")
    assert watchdog_interval() is None


def test_the_watchdog_is_pinged_three_times_in_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_interval() == 10.0
