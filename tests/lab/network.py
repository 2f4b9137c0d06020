"""The network of one lab: a namespace with a bridge that leads to the VPSs and, through slirp4netns, to the world.

Everything lies inside the namespace; the machine's own interfaces, routes and firewall stay as they are.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.lab import processes
from tests.lab.errors import LabError
from tests.lab.tools import run

ENTER_NETWORK = "ip"
BRIDGE = "br0"
UPLINK = "slirp0"
BRIDGE_ADDRESS = "10.0.2.1"
GATEWAY = "10.0.2.2"
NAME_SERVER = "10.0.2.3"
PREFIX_LENGTH = 24
FIRST_HOST = 11
LAST_HOST = 254
NAMESPACES = Path("/run/netns")
NAMESPACE_CONFIGURATION = Path("/etc/netns")


def address_of(host: int) -> str:
    """Address of host number `host` in the lab's network."""
    return f"10.0.2.{host}"


class Network:
    """The network namespace `name`; `log` takes what slirp4netns says."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.path = NAMESPACES / name
        self.log = log

    def command(self, *command: str) -> list[str]:
        """Return the command that runs `command` inside the namespace."""
        return [ENTER_NETWORK, "netns", "exec", self.name, *command]

    def is_up(self) -> bool:
        """Tell whether VPSs on this network reach each other and the world."""
        return self.path.exists() and bool(self._uplink_processes()) and UPLINK in self._interfaces()

    def up(self) -> None:
        """Bring up whatever part of the network is missing.

        Raises:
            LabError: the machine refuses a part.
        """
        if self.is_up():
            return
        self._stop_uplink()
        if not self.path.exists():
            run("ip", "netns", "add", self.name)
        resolver = NAMESPACE_CONFIGURATION / self.name / "resolv.conf"
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.write_text(f"nameserver {NAME_SERVER}\n")
        if BRIDGE not in self._interfaces():
            self._inside("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self._inside("link", "set", "lo", "up")
        self._inside("link", "set", BRIDGE, "up")
        self._start_uplink()
        self.mend_uplink()

    def down(self) -> None:
        """Remove the namespace with all that is in it: processes, interfaces, addresses."""
        processes.stop(self.processes)
        self._stop_uplink()
        if self.path.exists():
            run("ip", "netns", "delete", self.name)
        shutil.rmtree(NAMESPACE_CONFIGURATION / self.name, ignore_errors=True)

    def processes(self) -> list[int]:
        """List the processes inside the namespace, without this one and those that wait for it."""
        if not self.path.exists():
            return []
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)
        return sorted({int(pid) for pid in listed.stdout.split()} - processes.own_line())

    def add_port(self, name: str) -> None:
        """Add a tap interface to the bridge, a new one in place of one that is left from a dead VPS."""
        self.remove_port(name)
        self._inside("tuntap", "add", "dev", name, "mode", "tap")
        self._inside("link", "set", name, "master", BRIDGE, "up")

    def remove_port(self, name: str) -> None:
        """Remove a tap interface, if it is there."""
        if self.path.exists() and name in self._interfaces():
            self._inside("link", "delete", name)

    def unplug(self, port: str) -> None:
        """Take a port off the bridge: whoever is behind it sends and hears nothing, and is told nothing."""
        self._inside("link", "set", port, "nomaster")

    def plug(self, port: str) -> None:
        """Put it back."""
        self._inside("link", "set", port, "master", BRIDGE, "up")

    def cut_uplink(self) -> None:
        """Take away the world and whatever listens on the bridge's address; the VPSs still reach each other."""
        self._inside("link", "set", UPLINK, "nomaster")
        self._inside("address", "flush", "dev", BRIDGE)

    def mend_uplink(self) -> None:
        """Give both back."""
        self._inside("link", "set", UPLINK, "master", BRIDGE, "up")
        self._addresses()

    def _addresses(self) -> None:
        self._inside("address", "replace", f"{BRIDGE_ADDRESS}/{PREFIX_LENGTH}", "dev", BRIDGE)
        self._inside("route", "replace", "default", "via", GATEWAY)

    def _interfaces(self) -> set[str]:
        listed = subprocess.run(
            ["ip", "-json", "-netns", self.name, "link", "show"], capture_output=True, text=True, check=False
        )
        return {link["ifname"] for link in json.loads(listed.stdout or "[]")}

    def _uplink_processes(self) -> list[int]:
        return processes.find("slirp4netns", str(self.path))

    def _stop_uplink(self) -> None:
        processes.stop(self._uplink_processes)

    def _start_uplink(self) -> None:
        ready, ready_here = os.pipe()
        command = ["slirp4netns", "--netns-type=path", "--disable-host-loopback", "--mtu=1500"]
        command += [f"--ready-fd={ready_here}", str(self.path), UPLINK]
        with self.log.open("w") as output:
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[ready_here],
            )
        os.close(ready_here)
        with os.fdopen(ready, "rb") as answer:
            if not answer.read(1):
                raise LabError(f"slirp4netns could not start; see {self.log}")

    def _inside(self, *arguments: str) -> None:
        run("ip", "-netns", self.name, *arguments)
