"""A lab: any number of VPSs on one network of their own, all kept under the checkout's build/lab/<name>/."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.lab import host_check, ssh
from tests.lab.base_tree import base_image
from tests.lab.errors import LabError
from tests.lab.machine import read_machine
from tests.lab.network import FIRST_HOST, LAST_HOST, Network
from tests.lab.vps import BOOT_SECONDS, Record, Vps, new_boot_id

CHECKOUT = Path(__file__).resolve().parents[2]
SOCKETS = Path("/run/imagebot-lab")
VALID_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def namespace_name(checkout: Path, lab: str) -> str:
    """Return the name of a lab's network namespace, different for every checkout on a machine."""
    return f"imagebot-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}-{lab}"


def free_host(taken: set[int]) -> int:
    """Return the first host number that is not taken.

    Raises:
        LabError: all are.
    """
    for host in range(FIRST_HOST, LAST_HOST + 1):
        if host not in taken:
            return host
    raise LabError("the lab is full; destroy a VPS first")


class Lab:
    """The lab `name` of `checkout`. Nothing exists until the first `create` or `run`."""

    def __init__(self, name: str = "demo", checkout: Path = CHECKOUT) -> None:
        _check_name(name)
        self.name = name
        self.directory = checkout / "build" / "lab" / name
        namespace = namespace_name(checkout, name)
        self.sockets = SOCKETS / namespace
        self.network = Network(namespace, self.directory / "slirp4netns.log")
        self.key = self.directory / "id_ed25519"
        self.ssh_configuration = self.directory / "ssh_config"

    def create(self, *names: str, distribution: str = "trixie", memory: str = "20G", disk: str = "20G") -> list[Vps]:
        """Boot a VPS of each name, all at once, and wait until they are up; those that run already are left alone.

        `memory` and `disk` are sizes such as `20G`; both are sparse. Raises LabError if one does not come up.
        """
        for name in names:
            _check_name(name)
        self._require_host()
        image = base_image(distribution, read_machine())
        with self._lock():
            self._network_up()
            ssh.make_key(self.key)
            public_key = self.key.with_suffix(".pub").read_text()
            created = [self._boot(name, image, public_key, distribution, memory, disk) for name in names]
            self._write_ssh_configuration()
        self._wait_until_up(created)
        return created

    def vps(self) -> list[Vps]:
        """List the lab's VPSs in the order of their addresses, those that have died among them."""
        records = [Record(**json.loads(path.read_text())) for path in self.directory.glob("*.json")]
        return [self._vps(record) for record in sorted(records, key=lambda record: record.host)]

    def get(self, name: str) -> Vps:
        """Return the running VPS `name`.

        Raises:
            LabError: there is none.
        """
        for vps in self.vps():
            if vps.record.name == name and vps.is_running():
                return vps
        running = ", ".join(vps.record.name for vps in self.vps() if vps.is_running()) or "none"
        raise LabError(f"no VPS {name} runs in lab {self.name} (running: {running}); create it first")

    def cut_power(self, *names: str) -> None:
        """End VPSs at once, as a power cut does: their disks stay as they are, for `power_on`.

        Raises:
            LabError: one does not run.
        """
        with self._lock():
            for name in names:
                self.get(name).cut_power()

    def power_on(self, *names: str) -> list[Vps]:
        """Boot VPSs that have ended, each on its own disk and at its old address, and wait until they are up.

        Those that run are left alone. Raises LabError if one has no disk, or does not come up.
        """
        with self._lock():
            self._network_up()
            booted = [self._boot_again(name) for name in names]
            self._write_ssh_configuration()
        self._wait_until_up(booted)
        return booted

    def reboot(self, *names: str) -> None:
        """Have VPSs reboot themselves (`systemctl reboot`) and wait until they are up again.

        Raises:
            LabError: one does not run, or does not come up.
        """
        before = {name: self._boot_of(name) for name in names}
        for name in names:
            self.ssh(name, "systemctl", "reboot", check=False)  # the connection may end before the command does
        deadline = time.monotonic() + BOOT_SECONDS
        while any(self._boot_of(name) in ("", before[name]) for name in names):
            if time.monotonic() > deadline:
                raise LabError(f"{', '.join(names)} did not reboot within {BOOT_SECONDS} s")
            time.sleep(0.5)
        self._wait_until_up([self.get(name) for name in names])

    def unplug(self, *names: str) -> None:
        """Take VPSs off the network while they run: nothing reaches them, ssh included, until `plug`."""
        for name in names:
            self.network.unplug(self.get(name).port)

    def plug(self, *names: str) -> None:
        """Give them their network back."""
        for vps in [self.get(name) for name in names]:
            self.network.plug(vps.port)
            vps.end_connections()

    def cut_uplink(self) -> None:
        """Take from all VPSs the world, this machine (ssh) and what listens on the bridge (the simulators)."""
        self.network.cut_uplink()

    def mend_uplink(self) -> None:
        """Give it back."""
        self.network.mend_uplink()
        for vps in self.vps():
            vps.end_connections()

    def destroy(self, *names: str) -> None:
        """Remove the VPSs of these names; one that does not exist is fine."""
        with self._lock():
            for vps in self.vps():
                if vps.record.name in names:
                    vps.remove()
            self._write_ssh_configuration()

    def destroy_all(self) -> None:
        """Remove every trace of the lab: VPSs, whatever still runs in its namespace, the namespace, its files."""
        with self._lock():
            self._clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Return the environment of a command that runs inside the lab."""
        return {
            **os.environ,
            "IMAGEBOT_LAB": self.name,
            "IMAGEBOT_LAB_SSH_CONFIG": str(self.ssh_configuration),
            # Ansible's own master connections are known by address only: they would outlive a VPS and serve the next
            # one at its address, or one in another checkout's lab. Without them the ssh configuration's are used.
            "ANSIBLE_SSH_ARGS": f"-F {self.ssh_configuration}",
            # Molecule keeps its state here, by the checkout's last name only; and it should end with the lab.
            "ANSIBLE_HOME": str(self.directory / "ansible"),
        }

    def command(self, *command: str) -> list[str]:
        """Bring the network up and return the command that runs `command` inside the lab's namespace."""
        self._require_host()
        with self._lock():
            self._network_up()
            self._write_ssh_configuration()
        return self.network.command(*command)

    def ssh_command(self, name: str, *command: str) -> list[str]:
        """Return the command that runs `command` on the VPS `name`, or logs in if it is empty.

        The VPS's shell reads the arguments joined by spaces, as with ssh itself. Raises LabError if it does not run.
        """
        self.get(name)
        return self.network.command("ssh", "-F", str(self.ssh_configuration), name, *command)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `command` inside the lab's namespace, its output taken as text."""
        return self._run(self.command(*command), check)

    def ssh(self, name: str, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `command` on the VPS `name`, its output taken as text."""
        return self._run(self.ssh_command(name, *command), check)

    def _run(self, command: Sequence[str], check: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=check, env=self.environment()
        )

    def _boot(self, name: str, image: Path, public_key: str, distribution: str, memory: str, disk: str) -> Vps:
        known = {vps.record.name: vps for vps in self.vps()}
        if name in known:
            if known[name].is_running():
                return known[name]
            known.pop(name).remove()
        host = free_host({vps.record.host for vps in known.values()})
        vps = self._vps(Record(name, host, distribution, memory, disk, new_boot_id()))
        vps.save()
        vps.boot(image, public_key)
        return vps

    def _boot_again(self, name: str) -> Vps:
        known = {vps.record.name: vps for vps in self.vps()}
        if name not in known or not known[name].disk.exists():
            raise LabError(f"no VPS {name} with a disk in lab {self.name}; create it first")
        if known[name].is_running():
            return known[name]
        vps = self._vps(replace(known[name].record, boot=new_boot_id()))
        vps.save()
        vps.power_on()
        return vps

    def _wait_until_up(self, started: Sequence[Vps]) -> None:
        with ThreadPoolExecutor(max_workers=max(1, len(started))) as pool:
            list(pool.map(lambda vps: vps.wait_until_up(self.ssh_configuration), started))

    def _boot_of(self, name: str) -> str:
        return self.ssh(name, "cat /proc/sys/kernel/random/boot_id", check=False).stdout.strip()

    def _vps(self, record: Record) -> Vps:
        return Vps(record, self.directory, self.sockets, self.network)

    def _network_up(self) -> None:
        if not self.network.path.exists():
            # VPSs whose namespace has lost its name can't be reached again.
            self._clear()
        self.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.network.up()

    def _clear(self) -> None:
        for vps in self.vps():
            vps.remove()
        self.network.down()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def _write_ssh_configuration(self) -> None:
        hosts = [(vps.record.name, vps.record.address, vps.control_path) for vps in self.vps()]
        self.ssh_configuration.write_text(ssh.configuration(hosts, self.key))

    def _require_host(self) -> None:
        if lacking := host_check.missing():
            raise LabError(f"this machine can't host a VPS; it lacks {'; '.join(lacking)}")
        os.environ["PATH"] = host_check.SEARCH_PATH

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Let one command at a time change the lab."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _check_name(name: str) -> None:
    if not VALID_NAME.fullmatch(name):
        raise LabError(f"not a name: {name!r}; use lower case letters, digits and dashes, 20 at most, a letter first")
