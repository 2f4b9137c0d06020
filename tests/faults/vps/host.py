"""The two VPSs of the chaos test: provisioned as the playbooks' tests do, and made to suffer from outside."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml

from tests.faults.vps.plan import ON_THE_VPS, Fault, Plan
from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab
from tests.lab.outside import VARIABLES, Outside

VPS: Final = "vps1"
MEDIA: Final = "nfs1"
QUEUE_MEMORY_MB: Final = 128
"""What the queue's Redis may take: filling the 1 GB of a host of this size would take longer than the fault lasts."""
HOST_VARIABLES: Final = CHECKOUT / "molecule" / "default" / "host_vars"
AGENT: Final = "/root/chaos"
PYTHON: Final = "/opt/imagebot/current/venv/bin/python"
UNIT: Final = f"""\
[Unit]
Description=The chaos test's agent
[Service]
WorkingDirectory=/opt/imagebot/current
Environment=PYTHONPATH=/opt/imagebot/current
ExecStart={PYTHON} {AGENT}/agent.py
Restart=always
Nice=-10
OOMScoreAdjust=-1000
[Install]
WantedBy=multi-user.target
"""


class ChaosTestError(Exception):
    """The chaos test could not be held; the message says why."""


def provision(lab: Lab, release: Path, distribution: str, output: Path) -> None:
    """Boot both VPSs and the simulators, and let the ``site.yml`` of the checkout ``release`` make the service.

    Raises:
        ChaosTestError: it failed; the message holds the end of its output.
    """
    lab.create(VPS, MEDIA, distribution=distribution)
    Outside(lab).up("--median", "12", "--p95", "20", "--picture-bytes", "100000")
    inventory = output / "inventory"
    inventory.mkdir(parents=True, exist_ok=True)
    for name, target in {"group_vars": release / "inventory/lab/group_vars", "host_vars": HOST_VARIABLES}.items():
        (inventory / name).unlink(missing_ok=True)
        (inventory / name).symlink_to(target)
    hosts = {vps.record.name: {"ansible_host": vps.record.address, "ansible_user": "root"} for vps in lab.vps()}
    groups: dict[str, Any] = {group: {"hosts": {VPS: {}}} for group in ("redis", "bot", "workers", "monitoring")}
    tree = {"all": {"hosts": hosts, "children": groups | {"media": {"hosts": {MEDIA: {}}}}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(tree))
    playbook = [
        str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory / "hosts.yml"), "site.yml",
        "-e", "workers=10", "-e", f"redis_queue_maxmemory_mb={QUEUE_MEMORY_MB}",
    ]  # fmt: skip
    log = output / "provision.log"
    with log.open("w") as out:
        code = subprocess.run(
            lab.command(*playbook),
            cwd=release,
            env=lab.environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        ).returncode
    if code:
        raise ChaosTestError("\n".join(["site.yml failed:", *log.read_text().splitlines()[-25:], f"(all: {log})"]))


class Host:
    """The VPS under the chaos test, and what is done to it from outside; ``told`` takes each fault and its time."""

    def __init__(self, lab: Lab, told: Callable[[str], None]) -> None:
        self._lab = lab
        self._told = told

    def start_agent(self, plan: Plan, began: float) -> None:
        """Put the agent with its part of the plan onto the VPS and start it; times are from ``began`` (Unix s)."""
        variables: dict[str, Any] = yaml.safe_load(VARIABLES.read_text())
        own = sorted((asdict(fault) for fault in plan.faults if fault.kind in ON_THE_VPS), key=lambda one: one["at"])
        files = {
            f"{AGENT}/agent.py": Path(__file__).with_name("agent.py").read_text(),
            f"{AGENT}/plan.json": json.dumps(
                {
                    "began": began,
                    "seed": plan.seed,
                    "faults": own,
                    "operator_password": variables["redis_passwords"]["operator"],
                }
            ),
            "/etc/systemd/system/chaos-agent.service": UNIT,
        }
        self._lab.ssh(VPS, f"rm -rf {AGENT} && install -d -m 0700 {AGENT}")
        for path, text in files.items():
            command = self._lab.ssh_command(VPS, f"cat >{path}")
            subprocess.run(command, input=text, text=True, check=True, env=self._lab.environment())
        self._lab.ssh(VPS, "sync; systemctl daemon-reload; systemctl enable --quiet --now chaos-agent")

    def stop_agent(self) -> list[dict[str, Any]]:
        """Take the agent off the VPS and return what it logged."""
        self._lab.ssh(VPS, "systemctl disable --quiet --now chaos-agent")
        lines = self._lab.ssh(VPS, f"tr -d '\\0' <{AGENT}/log").stdout.splitlines()
        self._lab.ssh(VPS, f"rm -rf {AGENT} /etc/systemd/system/chaos-agent.service; systemctl daemon-reload")
        return [json.loads(line) for line in lines]

    def status(self) -> dict[str, Any]:
        """Return what is left in Redis (``agent.py status``)."""
        command = f"cd /opt/imagebot/current && PYTHONPATH=. {PYTHON} {AGENT}/agent.py status"
        told: dict[str, Any] = json.loads(self._lab.ssh(VPS, command).stdout)
        return told

    def not_running(self) -> list[str]:
        """List the units of ours that don't run, and whatever else systemd calls failed."""
        units = [
            "imagebot@1",
            "redis-server@queue",
            "redis-server@cache",
            *(f"imageworker@{n}" for n in range(1, 11)),
        ]
        units += ["srv-imagebot-media.mount"]
        states = self._lab.ssh(VPS, f"systemctl is-active {' '.join(units)}", check=False).stdout.split()
        found = [f"{unit} is {state}" for unit, state in zip(units, states, strict=True) if state != "active"]
        failed = self._lab.ssh(VPS, "systemctl list-units --failed --plain --no-legend", check=False).stdout
        return found + [line.split()[0] for line in failed.splitlines()]

    def save_journals(self, output: Path) -> None:
        """Write the VPS's journal of the chaos test, all boots, with times in Unix seconds."""
        with (output / "journal.log").open("w") as file:
            command = self._lab.ssh_command(VPS, "journalctl -o short-unix --no-pager --since -2h")
            subprocess.run(command, stdout=file, check=False, env=self._lab.environment())

    async def suffer(self, plan: Plan, began: float) -> None:
        """Make those faults of the plan that come from outside, each at its time."""
        async with asyncio.TaskGroup() as group:
            for fault in plan.faults:
                if fault.kind not in ON_THE_VPS:
                    group.create_task(self._make(fault, began))

    async def _make(self, fault: Fault, began: float) -> None:
        begin, end = {
            "power-cut": (lambda: self._lab.cut_power(VPS), lambda: self._lab.power_on(VPS)),
            "uplink-gone": (self._lab.cut_uplink, self._lab.mend_uplink),
            "nfs-gone": (lambda: self._lab.unplug(MEDIA), lambda: self._lab.plug(MEDIA)),
        }[fault.kind]
        await asyncio.sleep(max(0.0, began + fault.at - time.time()))
        self._told(fault.kind)
        await asyncio.to_thread(begin)
        await asyncio.sleep(fault.seconds)
        try:
            await asyncio.to_thread(end)
        except LabError as error:  # what it came to is seen at the end
            self._told(f"{fault.kind}: {error}")
        self._told(f"{fault.kind} is over")


def in_the_lab(lab: Lab) -> bool:
    """Tell whether this process is on the lab's network: only there the simulators answer whatever happens."""
    here = Path("/proc/self/ns/net").stat()
    return lab.network.path.exists() and os.path.samestat(here, lab.network.path.stat())
