"""What a VPS takes over from the machine that hosts it: package mirror, certificate authorities, pip's settings."""

import ast
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.errors import LabError
from tests.lab.tools import run

LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
GUEST_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
# Settings that say where packages come from; the rest of the machine's pip settings are its own business.
PIP_PLACES = ("index-url", "extra-index-url", "trusted-host", "proxy")
PIP_NUMBERS = ("timeout", "default-timeout", "retries")


@dataclass(frozen=True)
class Mirror:
    """Debian's own package mirror: URIs as in a `deb` line; `security` is None where the machine uses none."""

    main: str
    security: str | None


@dataclass(frozen=True)
class Machine:
    """The part of this machine's configuration that a VPS gets."""

    mirror: Mirror
    authorities: tuple[Path, ...]
    pip_configuration: str


def parse_index_targets(listing: str) -> Mirror:
    """Pick Debian's own archives from `LABEL|URI` lines, the machine's first choice first.

    Raises:
        LabError: no Debian archive is among them.
    """
    uris: dict[str, str] = {}
    for line in listing.splitlines():
        label, _, uri = line.partition("|")
        if uri.startswith(("http://", "https://")):
            uris.setdefault(label, uri)
    if "Debian" not in uris:
        raise LabError("apt knows no Debian mirror here; list one in /etc/apt and run: apt-get update")
    return Mirror(uris["Debian"], uris.get("Debian-Security"))


def parse_pip_settings(listing: str, has_authorities: bool) -> str:
    """Turn what `pip config list` prints into a VPS's /etc/pip.conf, empty when there is nothing to say.

    Paths of this machine (`find-links`, `file://` indexes, a certificate file) mean nothing on a VPS and stay out;
    `has_authorities` points pip at the VPS's own bundle, which older pips do not look into by themselves.
    """
    settings: dict[str, str] = {}
    for line in listing.splitlines():
        name, _, quoted = line.partition("=")
        section, _, key = name.rpartition(".")
        if section not in ("global", ":env:"):
            continue
        value = str(ast.literal_eval(quoted))
        if key in PIP_PLACES:
            value = " ".join(place for place in value.split() if not place.startswith(("file:", "/", ".")))
        elif key not in PIP_NUMBERS:
            continue
        if value:
            settings[key] = value
    if has_authorities:
        settings["cert"] = GUEST_AUTHORITIES
    if not settings:
        return ""
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(settings.items()))


def read_machine() -> Machine:
    """Read this machine's configuration.

    Raises:
        LabError: apt names no Debian mirror.
    """
    lines = ["--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages", "Component: main"]
    index_targets = run("apt-get", "indextargets", *lines)
    pip_settings = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    authorities = tuple(sorted(LOCAL_AUTHORITIES.glob("**/*.crt")))
    return Machine(
        parse_index_targets(index_targets),
        authorities,
        parse_pip_settings(pip_settings.stdout, bool(authorities)),
    )
