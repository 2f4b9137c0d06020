"""What a machine needs to host a VPS."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

PACKAGE_OF_PROGRAM = {
    "debootstrap": "debootstrap",
    "debugfs": "e2fsprogs",
    "ip": "iproute2",
    "linux.uml": "user-mode-linux",
    "mkfs.ext4": "e2fsprogs",
    "slirp4netns": "slirp4netns",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}
TUN_DEVICE = Path("/dev/net/tun")
# A login as root by su or cron may lack the directories that hold debootstrap, ip and mkfs.ext4.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def can_make_network_namespaces() -> bool:
    """Try it: containers and hardened kernels refuse even root."""
    try:
        return subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def missing() -> list[str]:
    """Name everything this machine lacks to host a VPS, each with its cure; empty when it can."""
    found = []
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        found.append(f"Linux on amd64 (this is {platform.system()} on {platform.machine()})")
    if os.geteuid() != 0:
        found.append("root (run it with sudo)")
    elif not can_make_network_namespaces():
        found.append("network namespaces (in a container: start it with --privileged)")
    if not TUN_DEVICE.exists():
        found.append(f"{TUN_DEVICE} (modprobe tun; in a container: --device {TUN_DEVICE})")
    packages = {
        package for program, package in PACKAGE_OF_PROGRAM.items() if not shutil.which(program, path=SEARCH_PATH)
    }
    if packages:
        found.append(f"packages (apt-get install {' '.join(sorted(packages))})")
    return found
