"""One VPS: its disk, its user-mode kernel and the way to tell whether it runs."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab import processes
from tests.lab.errors import LabError
from tests.lab.network import ENTER_NETWORK, GATEWAY, PREFIX_LENGTH, Network, address_of
from tests.lab.tools import run

KERNEL = "linux.uml"
BOOT_SECONDS = 180
# Looks before a VPS is taken for dead, and seconds between: in the middle of an exec a process has no arguments.
LOOKS = 3
LOOK_AGAIN = 0.1
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where a user-mode kernel keeps its memory, unlinked once it is open
CONSOLE_LINES_TOLD = 15

# A user-mode kernel that reboots by itself can't open its network interface again, so it ends and is started anew.
# So is one that ends before it says its version: on a busy machine what it tries out of ptrace can fail in passing.
KEEPER = "sh"
KEEPER_SCRIPT = """\
console=$1; shift
for attempt in 1 2 3; do
  while "$@" >>"$console" 2>&1; tail -n 3 "$console" | grep -aq "reboot: Restarting system"; do :; done
  grep -aq "Linux version" "$console" && break
done
"""

NETWORK_FILE = """\
[Match]
Name=vec*

[Network]
Address={address}/{prefix_length}
Gateway={gateway}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""


@dataclass(frozen=True)
class Record:
    """What the lab remembers of a VPS, as JSON; `host` is the last number of its address, `boot` a random id."""

    name: str
    host: int
    distribution: str
    memory: str
    disk: str
    boot: str

    @property
    def address(self) -> str:
        """Address in the lab's network."""
        return address_of(self.host)


def new_boot_id() -> str:
    """Return an id that no other boot has."""
    return secrets.token_hex(4)


class Vps:
    """A VPS of a lab whose files lie in `directory` and whose sockets lie in `sockets` (a short path)."""

    def __init__(self, record: Record, directory: Path, sockets: Path, network: Network) -> None:
        self.record = record
        self.network = network
        self.sockets = sockets
        self.record_file = directory / f"{record.name}.json"
        self.disk = directory / f"{record.name}.img"
        self.console_log = directory / f"{record.name}.console.log"
        self.control_path = sockets / f"{record.name}.{record.boot}.ssh"
        self.machine_id = f"{network.name}.{record.name}"
        self.mark = f"umid={self.machine_id}"
        self.port = f"tap{record.host}"

    def processes(self) -> list[int]:
        """List the machine's processes that are this VPS: keeper, kernel and one for each address space in it."""
        return [*self._keepers(), *processes.find(KERNEL, self.mark)]

    def is_running(self) -> bool:
        """Tell whether it runs: its keeper ends with its kernel, what else a killed kernel leaves does not count."""
        for _ in range(LOOKS):
            if self._keepers():
                return True
            time.sleep(LOOK_AGAIN)
        return False

    def save(self) -> None:
        """Write the record, whole or not at all."""
        unfinished = self.record_file.with_suffix(".json.new")
        unfinished.write_text(json.dumps(asdict(self.record)))
        unfinished.rename(self.record_file)

    def boot(self, image: Path, public_key: str) -> None:
        """Start it on a fresh copy of `image`, with `public_key` as root's; returns before it is up."""
        self._make_disk(image, public_key)
        self.console_log.write_text("")
        self.power_on()

    def power_on(self) -> None:
        """Start it on the disk that it has; returns before it is up."""
        self.network.add_port(self.port)
        mac = f"02:00:0a:00:02:{self.record.host:02x}"
        command = [KERNEL, f"ubd0={self.disk}", "root=/dev/ubda", "rw", f"mem={self.record.memory}"]
        command += [f"vec0:transport=tap,ifname={self.port},mac={mac},depth=128,gro=1"]
        # The kernel's console is its standard output; 512 terminals of the old kind would cost udev seconds.
        command += ["con=null", "con0=null,fd:1", "ssl=null", "pty.legacy_count=0", "noreboot"]
        command += [self.mark, f"uml_dir={self.sockets}/"]
        subprocess.Popen(
            self.network.command(KEEPER, "-c", KEEPER_SCRIPT, "keeper", str(self.console_log), *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(self._memory_directory())},
        )

    def wait_until_up(self, ssh_configuration: Path) -> str:
        """Wait until it answers by ssh and systemd has started everything; return systemd's state.

        Raises:
            LabError: it did not come up; tells the last lines of its console.
        """
        command = ["ssh", "-F", str(ssh_configuration), "-o", "ConnectTimeout=2", self.record.name]
        command += ["systemctl", "is-system-running", "--wait"]
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running():
                raise LabError(f"{self.record.name} died while it booted; {self._console_end()}")
            try:
                answer = subprocess.run(
                    self.network.command(*command),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=deadline - time.monotonic(),
                    check=False,
                )
            except subprocess.TimeoutExpired:
                break
            state = answer.stdout.strip()
            if state in ("running", "degraded"):
                return state
            time.sleep(0.3)
        raise LabError(f"{self.record.name} was not up within {BOOT_SECONDS} s; {self._console_end()}")

    def cut_power(self) -> None:
        """End it at once: what its kernel had not yet written to the disk is gone, what it flushed (fsync) stays."""
        processes.stop(self.processes, grace=0)
        self.end_connections()
        self.network.remove_port(self.port)
        shutil.rmtree(self.sockets / self.machine_id, ignore_errors=True)

    def end_connections(self) -> None:
        """End the shared ssh connection: one that was cut off hangs whoever uses it next."""
        processes.stop(lambda: processes.find_titled(f"ssh: {self.control_path} [mux]"), grace=0)
        self.control_path.unlink(missing_ok=True)

    def remove(self) -> None:
        """End it as a power cut would and remove its files, but for the console log."""
        self.cut_power()
        for path in (self.disk, self.record_file):
            path.unlink(missing_ok=True)

    def _keepers(self) -> list[int]:
        # It enters the network as one program and becomes another: looked for in that order, it is never missed.
        return [*processes.find(ENTER_NETWORK, self.mark), *processes.find(KEEPER, self.mark)]

    def _make_disk(self, image: Path, public_key: str) -> None:
        run("cp", "--sparse=always", "--reflink=auto", str(image), str(self.disk))
        run("truncate", f"--size={self.record.disk}", str(self.disk))
        run("resize2fs", "-f", str(self.disk))
        files = {
            "/etc/hostname": f"{self.record.name}\n",
            "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {self.record.name}\n",
            "/etc/machine-id": f"{secrets.token_hex(16)}\n",
            "/etc/systemd/network/10-lab.network": NETWORK_FILE.format(
                address=self.record.address, prefix_length=PREFIX_LENGTH, gateway=GATEWAY
            ),
            "/root/.ssh/authorized_keys": public_key,
            # A disk that is thrown away need not survive a power cut in the middle of an installation.
            "/etc/dpkg/dpkg.cfg.d/lab": "force-unsafe-io\n",
        }
        with tempfile.TemporaryDirectory() as directory:
            requests = []
            for number, (target, text) in enumerate(files.items()):
                source = Path(directory) / str(number)
                source.write_text(text)
                requests += [f"rm {target}", f"write {source} {target}"]
                requests += [f"set_inode_field {target} mode 0100644"]
            run("debugfs", "-w", "-f", "-", str(self.disk), text="\n".join(requests))

    def _memory_directory(self) -> Path:
        """Return a directory with room for its memory, of which it takes only what it uses."""
        room = os.statvfs(SHARED_MEMORY)
        needed = run("numfmt", "--from=iec", self.record.memory)
        if room.f_bavail * room.f_frsize >= int(needed) and not room.f_flag & os.ST_NOEXEC:
            return SHARED_MEMORY
        return self.disk.parent

    def _console_end(self) -> str:
        lines = self.console_log.read_text(errors="replace").splitlines()[-CONSOLE_LINES_TOLD:]
        return f"{self.console_log} ends: " + " | ".join(line.strip() for line in lines)
