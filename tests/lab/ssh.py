"""Logging in to the VPSs: one key per lab, one ssh configuration that ssh, Ansible and testinfra share."""

from collections.abc import Iterable
from pathlib import Path

from tests.lab.tools import run

HOST_BLOCK = """\
Host {name} {address}
  HostName {address}
  ControlPath {control_path}
"""
# A VPS lives for minutes and its network ends on this machine: there is nobody in between to guard against.
ALL_HOSTS = """\
Host *
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  ConnectTimeout 10
  ServerAliveInterval 15
  ControlMaster auto
  ControlPersist 60
"""


def configuration(hosts: Iterable[tuple[str, str, Path]], key: Path) -> str:
    """Return an ssh_config for (name, address, control path) of each host.

    The control path is new with every boot: a master connection of a VPS that is gone never serves its successor.
    """
    blocks = [HOST_BLOCK.format(name=name, address=address, control_path=path) for name, address, path in hosts]
    return "\n".join([*blocks, ALL_HOSTS.format(key=key)])


def make_key(path: Path) -> None:
    """Make the lab's key pair, if there is none."""
    if not path.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(path))
