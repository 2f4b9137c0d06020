"""The world outside a lab's VPSs: the simulated Telegram and fal.ai, beside them on the lab's own network."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab

VARIABLES = CHECKOUT / "inventory" / "lab" / "group_vars" / "all" / "main.yml"
START_TIMEOUT = 30.0
"""Seconds that a simulator may take until it answers."""

_HEALTHY = "import sys, urllib.request as u; u.urlopen(sys.argv[1] + '/control/health', timeout=2)"


class Outside:
    """The simulators of one lab, with the addresses and secrets that inventory/lab gives the VPS."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        variables: dict[str, Any] = yaml.safe_load(VARIABLES.read_text())
        self.telegram_url: str = variables["bot_telegram_api_url"]
        self.fal_url: str = variables["worker_fal_queue_url"]
        self._secrets = {
            "telegram": ("--token", variables["telegram_token"]),
            "fal": ("--key", variables["fal_key"]),
        }

    def up(self, *fal_arguments: str) -> None:
        """Start the simulators that do not answer yet; they live until the lab is destroyed.

        Raises:
            LabError: one does not come up; the message names its log.
        """
        self._start("telegram", self.telegram_url)
        self._start("fal", self.fal_url, *fal_arguments)

    def _start(self, name: str, url: str, *arguments: str) -> None:
        if self._answers(url):
            return
        address = urlsplit(url)
        log = self._lab.directory / f"{name}.log"
        command = self._lab.command(
            sys.executable, "-m", f"tests.simulators.{name}",
            # On the lab's loopback as well: whoever plays people there is heard while the VPSs' uplink is cut.
            "--host", "0.0.0.0", "--port", str(address.port), *self._secrets[name], *arguments,
        )  # fmt: skip
        with log.open("w") as output:
            subprocess.Popen(
                command,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers(url):
            if time.monotonic() > deadline:
                raise LabError(f"the simulated {name} does not answer at {url}; see {_shown(log)}")
            time.sleep(0.2)

    def _answers(self, url: str) -> bool:
        return self._lab.run(sys.executable, "-c", _HEALTHY, url, check=False).returncode == 0


def _shown(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))
