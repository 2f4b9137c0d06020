"""The hosts under test, over the lab's own ssh configuration."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import testinfra  # type: ignore[import-untyped]  # it has no types
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SECRETS: dict[str, Any] = yaml.safe_load((CHECKOUT / "inventory/lab/group_vars/all/main.yml").read_text())

Host = Any

VPS = "vps1"


def connect(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=os.environ["IMAGEBOT_LAB_SSH_CONFIG"])


@pytest.fixture(scope="session")
def vps() -> Host:
    """Return the host that runs everything but the media."""
    return connect(VPS)


@pytest.fixture(scope="session")
def nfs() -> Host:
    """Return the host that keeps the media."""
    return connect("nfs1")


@pytest.fixture(scope="session")
def secrets() -> list[str]:
    """Return everything that no log, environment or process list may show."""
    return [SECRETS["telegram_token"], SECRETS["fal_key"], *SECRETS["redis_passwords"].values()]


@pytest.fixture(scope="session")
def site() -> Callable[..., str]:
    """Return what runs site.yml on both hosts, as an operator does, and returns its output."""

    def run(*arguments: str) -> str:
        inventory = os.environ["MOLECULE_INVENTORY_FILE"]
        command: list[str | Path] = [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            inventory,
            "site.yml",
            *arguments,
        ]
        result = subprocess.run(command, cwd=CHECKOUT, text=True, capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run
