"""Tell systemd about this process (protocol: sd_notify(3)). Does nothing where systemd did not ask."""

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send assignments such as ``READY=1`` or ``STATUS=...`` to the socket named by ``$NOTIFY_SOCKET``."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    with channel, contextlib.suppress(OSError):  # nobody listens, or not fast enough: no reason to stop working
        channel.connect(address)
        channel.sendall("\n".join(lines).encode())


def watchdog_interval() -> float | None:
    """Return the seconds between two watchdog pings (a third of ``WatchdogSec=``), or None without one."""
    microseconds = os.environ.get("WATCHDOG_USEC")
    return int(microseconds) / 3e6 if microseconds else None
