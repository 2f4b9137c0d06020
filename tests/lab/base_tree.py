"""A bare Debian, built once with debootstrap and kept as an ext4 image outside the checkout.

The image's name is a hash of all that went into it, so a changed recipe, mirror or kernel gives a new one. It appears
under that name only when it is whole; a lock makes other checkouts wait for the one that builds.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.machine import LOCAL_AUTHORITIES, Machine
from tests.lab.tools import run

DISTRIBUTIONS = ("trixie", "bookworm")
# What a provider's Debian image has, and no more: roles must install whatever else they need.
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "python3", "python3-apt", "ca-certificates", "iproute2",
    "openssh-server", "sudo",
)  # fmt: skip
# Systemd runs its generators at every boot and reload, a package brings several reloads, and processes cost much in a
# user-mode kernel. These look for hardware, consoles and boot options that no lab VPS has.
IDLE_GENERATORS = tuple(
    f"systemd-{name}-generator"
    for name in (
        "cryptsetup", "debug", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run", "ssh",
        "system-update", "tpm2", "veritysetup",
    )
)  # fmt: skip
RECIPE_VERSION = 3
MODULES = Path("/usr/lib/uml/modules")
KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
# ext4 grows on its way to a VPS's disk; this only has to hold the tree.
IMAGE_SIZE = "2G"


def cache_directory() -> Path:
    """Where images are kept: $XDG_CACHE_HOME/imagebot-lab."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagebot-lab"


def kernel_version() -> str:
    """Version of the installed user-mode kernel."""
    return run("linux.uml", "--version").strip()


def image_key(distribution: str, machine: Machine, kernel: str) -> str:
    """Name of the image of `distribution` for this machine and kernel: 16 hex digits follow the distribution."""
    digest = hashlib.sha256()
    parts = [distribution, *PACKAGES, str(RECIPE_VERSION), kernel, machine.mirror.main, machine.mirror.security or ""]
    parts += [machine.pip_configuration, *(path.read_text() for path in machine.authorities)]
    for part in parts:
        digest.update(part.encode() + b"\0")
    return f"{distribution}-{digest.hexdigest()[:16]}"


def apt_sources(distribution: str, machine: Machine) -> str:
    """Return the VPS's debian.sources: the release, its updates and security fixes, from the machine's mirror."""
    suites = [(machine.mirror.main, f"{distribution} {distribution}-updates")]
    if machine.mirror.security:
        suites.append((machine.mirror.security, f"{distribution}-security"))
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {names}\nComponents: main\nSigned-By: /{KEYRING}\n"
        for uri, names in suites
    )


def base_image(distribution: str, machine: Machine) -> Path:
    """Return the image of `distribution`, building it first if this machine has none.

    Raises:
        LabError: the distribution is unknown, or it could not be built.
    """
    if distribution not in DISTRIBUTIONS:
        raise LabError(f"no such distribution: {distribution}; choose one of {', '.join(DISTRIBUTIONS)}")
    kernel = kernel_version()
    image = cache_directory() / f"{image_key(distribution, machine, kernel)}.img"
    if image.exists():
        return image
    image.parent.mkdir(parents=True, exist_ok=True)
    with _build_lock(image.with_suffix(".lock")) as lock:
        if not image.exists():
            print(f"building a bare Debian ({distribution}), about a minute, once on this machine", flush=True)
            _build(image, distribution, machine, kernel, lock)
    return image


@contextmanager
def _build_lock(path: Path) -> Iterator[int]:
    """Hold the lock at `path`; yields its descriptor, for a child to hold it too."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _build(image: Path, distribution: str, machine: Machine, kernel: str, lock: int) -> None:
    for left_over in image.parent.glob(f"{image.stem}.*.building"):
        shutil.rmtree(left_over)
    with tempfile.TemporaryDirectory(prefix=f"{image.stem}.", suffix=".building", dir=image.parent) as work:
        tree = Path(work) / "tree"
        _debootstrap(tree, distribution, machine, lock, image.with_suffix(".log"))
        _configure(tree, distribution, machine, kernel)
        unfinished = Path(work) / "image"
        run("mkfs.ext4", "-q", "-d", str(tree), str(unfinished), IMAGE_SIZE)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(image)


def _debootstrap(tree: Path, distribution: str, machine: Machine, lock: int, log: Path) -> None:
    # A mount and pid namespace of its own: whatever ends debootstrap also ends its children and its mounts. It holds
    # the lock as well, so should only this process be killed, nobody clears the tree away under debootstrap's feet.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "debootstrap", "--variant=minbase"]
    command += [f"--include={','.join(PACKAGES)}", distribution, str(tree), machine.mirror.main]
    with log.open("w") as output:
        code = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[lock], check=False
        ).returncode
    if code != 0:
        last_line = (log.read_text(errors="replace").strip().splitlines() or ["no output"])[-1]
        raise LabError(
            f"debootstrap of {distribution} failed: {last_line}; see {log}. An unknown signing key is cured by: "
            "apt-get install debian-archive-keyring"
        )


def _configure(tree: Path, distribution: str, machine: Machine, kernel: str) -> None:
    modules = tree / "lib/modules"
    modules.mkdir(parents=True, exist_ok=True)
    shutil.copytree(MODULES / kernel, modules / kernel, symlinks=True)
    (tree / "etc/fstab").write_text("/dev/ubda / ext4 defaults 0 1\n")
    (tree / "etc/apt/sources.list").unlink(missing_ok=True)
    (tree / "etc/apt/sources.list.d/debian.sources").write_text(apt_sources(distribution, machine))
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text("nameserver 10.0.2.3\n")
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    if machine.pip_configuration:
        (tree / "etc/pip.conf").write_text(machine.pip_configuration)
    for authority in machine.authorities:
        shutil.copy(authority, tree / str(LOCAL_AUTHORITIES).lstrip("/"))
    run("chroot", str(tree), "update-ca-certificates")
    run("chroot", str(tree), "systemctl", "enable", "systemd-networkd", "ssh")
    # There is no console to log in at.
    run("chroot", str(tree), "systemctl", "mask", "getty@tty1.service")
    generators = tree / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for name in IDLE_GENERATORS:
        (generators / name).symlink_to("/dev/null")
    run("chroot", str(tree), "apt-get", "clean")
    # What systemd does at the first boot after an update (linker cache, message catalogue, users) is done already.
    for stamp in ("etc/.updated", "var/.updated"):
        (tree / stamp).touch()
