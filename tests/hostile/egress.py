"""Watches what leaves a process: the secrets are canaries, and each may reach its owner only.

``watch`` is called in the process itself; what it sees goes into a file, a line for each new pair of peer and secret.
The traffic of tests is not encrypted, so what a socket is given is what was sent.
"""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.inventory import VAULT

NOTHING: Final = "-"
SECRETS: Final[Mapping[str, bytes]] = {
    "token": VAULT["telegram_token"].partition(":")[2].encode(),
    "fal": VAULT["fal_key"].encode(),
    **{f"redis-{user}": password.encode() for user, password in VAULT["redis_passwords"].items()},
}
_LONGEST: Final = max(map(len, SECRETS.values()))
_SENDERS: Final = ("send", "sendall", "sendmsg", "sendto")


class _Watch:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[tuple[Any, str]] = set()
        self._tails: dict[tuple[int, Any], bytes] = {}

    def sent(self, sender: socket.socket, parts: list[Any]) -> None:
        """Look through what a socket is given, and the end of what it was given before."""
        try:
            peer = sender.getpeername()
        except OSError:
            return  # not connected: a datagram to systemd
        name = peer[1] if isinstance(peer, tuple) else str(peer)
        data = self._tails.get((sender.fileno(), name), b"") + b"".join(bytes(part) for part in parts)
        self._tails[sender.fileno(), name] = data[-_LONGEST:]
        for secret in [NOTHING, *(each for each, value in SECRETS.items() if value in data)]:
            if (name, secret) not in self._seen:
                self._seen.add((name, secret))
                with self._file.open("a") as file:
                    file.write(json.dumps([name, secret]) + "\n")


def watch(file: Path) -> None:
    """Look through everything that this process sends from now on."""
    watching = _Watch(file)

    def watched(name: str) -> Any:
        method = getattr(socket.socket, name)

        def send(self: socket.socket, data: Any, *more: Any) -> Any:
            watching.sent(self, list(data) if name == "sendmsg" else [data])
            return method(self, data, *more)

        return send

    for name in _SENDERS:
        setattr(socket.socket, name, watched(name))


def told(file: Path) -> dict[int | str, set[str]]:
    """Return which secrets went to which peer: a port, or a path."""
    found: dict[int | str, set[str]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        peer, secret = json.loads(line)
        found.setdefault(peer, set()).update({secret} - {NOTHING})
    return found


def strays(file: Path, owners: Mapping[int, str]) -> list[str]:
    """Return what went astray: secrets that reached a peer which is not their owner.

    ``owners`` says which secret each port may hear; ports that are not there may hear none.
    """
    return [
        f"{secret} to {peer}"
        for peer, secrets in told(file).items()
        for secret in sorted(secrets)
        if not isinstance(peer, int) or owners.get(peer) != secret
    ]
