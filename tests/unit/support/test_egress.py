"""What leaves a process is seen, and a secret that goes to anybody but its owner is told."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.hostile import egress

KEY = egress.SECRETS["fal"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("send", "sendall", "sendmsg", "sendto"):
        monkeypatch.setattr(socket.socket, name, getattr(socket.socket, name))  # put back when the test ends
    egress.watch(tmp_path / "egress")
    return tmp_path / "egress"


async def test_a_secret_is_found_wherever_it_is_cut(file: Path) -> None:
    async def ignore(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for parts in ([b"nothing"], [b"x" * 1000 + KEY[:20], KEY[20:]]):
        with socket.create_connection(("127.0.0.1", port)) as client:
            for part in parts:
                client.sendall(part)
        found = {"fal"} if len(parts) > 1 else set()
        assert egress.told(file) == {port: found}
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" + egress.SECRETS["token"])
    assert egress.told(file) == {port: {"fal", "token"}}
    assert egress.strays(file, {port: "fal"}) == [f"token to {port}"]
    assert egress.strays(file, {port: "token"}) == [f"fal to {port}"]
    assert len(egress.strays(file, {})) == 2
    writer.close()
    server.close()
