"""Both simulators start, say where, and end the same way."""

import socket

import pytest

from tests.simulators.client import Simulator


@pytest.mark.parametrize("name", ["fal", "telegram"])
def test_a_simulator_listens_where_told_and_ends_cleanly_on_sigterm(name: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    simulator = Simulator(name, port=port)
    assert simulator.url == f"http://127.0.0.1:{port}"
    assert simulator.get("/control/health")["ok"]
    simulator.stop()
    assert simulator.process.returncode == 0


def test_a_port_in_use_is_an_error_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match="did not start"):
            Simulator("telegram", port=taken.getsockname()[1])
