"""The configuration of hosts, as the roles render it, for what tests, bench, faults and `make up` start.

What differs from a host is listed here and nowhere else; `tests/integration/stack/test_shipped.py` holds us to it.
"""

import shlex
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal

from tests.support.inventory import VAULT

Instance = Literal["queue", "cache"]
Program = Literal["bot", "worker"]

PREFIX: Final = "IMAGEBOT_"
LOCAL_DIRECTIVES: Final[Mapping[str, str]] = {
    "bind": "127.0.0.1 only: tests talk to nobody else",
    "port": "many servers run on one machine, each on a free port",
    "pidfile": "/run/redis-* is made by systemd",
    "dir": "a directory that the test removes",
    "aclfile": "the file lies beside the data",
    "maxmemory": "the machine may be smaller than a host",
}
"""Directives of Redis that differ from the role's, and why."""
LOCAL_SETTINGS: Final[Mapping[str, str]] = {
    "QUEUE_REDIS_URL": "the port",
    "CACHE_REDIS_URL": "the port",
    "MEDIA_URL": "the directory",
    "TELEGRAM_API_URL": "Telegram is simulated",
    "FAL_QUEUE_URL": "fal is simulated",
    "FAL_STORAGE_URL": "fal is simulated",
    "FAL_API_URL": "fal is simulated",
    "FAL_CDN_URL": "fal is simulated",
    "FAL_MEDIA_HOSTS": "the simulator serves pictures itself",
}
"""Settings of bot and worker that differ from their role's, and why."""
CACHE_MAXMEMORY: Final = "128mb"
"""Two gigabytes are more than a laptop wants to spare."""
QUICK: Final[Mapping[str, str]] = {
    "IMAGEBOT_POLL_INTERVAL_INITIAL": "0.1",
    "IMAGEBOT_POLL_INTERVAL_MAX": "0.3",
    "IMAGEBOT_SHUTDOWN_GRACE": "0.2",
}
"""For tests that ask what happens, not when: simulated jobs take a second, not thirty."""

_CONFIGURATION: Final = "/etc/redis/redis-{}.conf"
_USERS: Final = "/etc/redis/users-{}.acl"
_UNITS: Final[Mapping[Program, str]] = {"bot": "imagebot@.service.j2", "worker": "imageworker@.service.j2"}


def password(user: str) -> str:
    """Return the password of a user of Redis."""
    return str(VAULT["redis_passwords"][user])


def url(port: int, user: str = "operator") -> str:
    """Return the address of a Redis for a test's own client, which may do everything unless it plays a program."""
    return f"redis://{user}:{password(user)}@127.0.0.1:{port}/0"


def address(port: int) -> str:
    """Return the address of a Redis as settings hold it: who logs in stands elsewhere."""
    return f"redis://127.0.0.1:{port}/0"


# -- Redis ----------------------------------------------------------------------------------------------------------


@cache
def _redis_files() -> dict[str, str]:
    from tests.support.roles import value  # Ansible takes half a second to import: only who starts a program pays

    files = value("redis", "_redis_files") + value("redis", "_redis_secret_files")
    return {str(file["path"]): str(file["content"]) for file in files if "content" in file}


def directives(instance: Instance) -> list[tuple[str, str]]:
    """Return the directives of an instance as the role writes them, in order."""
    lines = _redis_files()[_CONFIGURATION.format(instance)].splitlines()
    found = [line.partition(" ") for line in lines if line.strip() and not line.startswith("#")]
    return [(name, arguments.strip()) for name, _, arguments in found]


def users(instance: Instance) -> str:
    """Return the ACL file of an instance as the role writes it."""
    return _redis_files()[_USERS.format(instance)]


def write_redis(directory: Path, instance: Instance, port: int, special: Mapping[str, str] | None = None) -> Path:
    """Write an instance's configuration and users into ``directory``, where its data lie too; return its path.

    ``special`` holds directives that one test needs otherwise, by name.
    """
    acl = directory / "users.acl"
    acl.write_text(users(instance))
    local = {
        "bind": "127.0.0.1",
        "port": str(port),
        "pidfile": f'"{directory}/redis.pid"',
        "dir": f'"{directory}"',
        "aclfile": f'"{acl}"',
    }
    if instance == "cache":
        local["maxmemory"] = CACHE_MAXMEMORY
    mine = {**local, **(special or {})}
    lines = [(name, arguments) for name, arguments in directives(instance) if name not in mine]
    configuration = directory / "redis.conf"
    configuration.write_text("".join(f"{name} {arguments}\n" for name, arguments in [*lines, *mine.items()]))
    return configuration


# -- bot and worker -------------------------------------------------------------------------------------------------


@cache
def role_settings(program: Program) -> dict[str, str]:
    """Return the environment file of a program's role, as systemd would read it."""
    from tests.support.roles import render, settings

    found = settings(render(program, f"{program}.env.j2"))
    return {name: " ".join(shlex.split(values[-1])) for name, values in found.items()}


@cache
def role_credentials(program: Program) -> dict[str, str]:
    """Return the credentials that a program's unit loads: name -> what the role keeps in that file."""
    from tests.support.roles import render, settings, value

    files = {file["path"]: str(file["content"]) for file in value(program, f"_{program}_credential_files")}
    loaded = [line.partition(":") for line in settings(render(program, _UNITS[program]))["LoadCredential"]]
    return {name: files[path] for name, _, path in loaded}


@cache
def _credential_names(program: Program) -> frozenset[str]:
    """Everything that the unit may load, in any mode."""
    from tests.support.roles import ROLES

    unit = (ROLES / program / "templates" / _UNITS[program]).read_text()
    return frozenset(line.partition("=")[2].partition(":")[0] for line in unit.splitlines() if "LoadCred" in line)


def environment(program: Program, credentials: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a bot or a worker, and write its secrets into the directory ``credentials``.

    ``given`` are settings (``IMAGEBOT_*``) that differ from the role's: those of ``LOCAL_SETTINGS``, and what one
    test needs otherwise. A secret among them goes into its file, as on a host.
    """
    secret = {name: name.lower() for name in given if name.lower() in _credential_names(program)}
    credentials.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, content in (role_credentials(program) | {secret[name]: given[name] for name in secret}).items():
        write_secret(credentials / name, content)
    open_ones = {name: content for name, content in given.items() if name not in secret}
    return role_settings(program) | open_ones | {"CREDENTIALS_DIRECTORY": str(credentials)}


def simulated(
    program: Program, *, queue: str, cache: str, media: Path, telegram: str = "", fal: str = ""
) -> dict[str, str]:
    """Return the settings of ``LOCAL_SETTINGS`` that a program has, for these addresses and this directory."""
    known = {
        "QUEUE_REDIS_URL": queue,
        "CACHE_REDIS_URL": cache,
        "MEDIA_URL": f"file://{media}",
        "TELEGRAM_API_URL": telegram,
        "FAL_QUEUE_URL": fal,
        "FAL_STORAGE_URL": fal,
        "FAL_API_URL": f"{fal}/v1",
        "FAL_CDN_URL": fal,
        "FAL_MEDIA_HOSTS": '["127.0.0.1"]',
    }
    return {PREFIX + name: known[name] for name in LOCAL_SETTINGS if PREFIX + name in role_settings(program)}


def write_secret(path: Path, content: str) -> None:
    """Write a file that nobody else reads; who reads it meanwhile gets the old one or the new one, whole."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as new:  # mode 0600
        new.write(content)
    Path(new.name).replace(path)
