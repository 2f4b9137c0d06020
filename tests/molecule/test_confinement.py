"""How far a taken-over bot or worker gets: a probe runs in the place of the program, in its unit and as its user.

The unit is a further instance of the template, so all it is shut in by is the real thing. The world round it is
played by addresses of the VPS's own loopback interface, which answer whoever is let through.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.molecule.conftest import SECRETS as LAB

Host = Any
Answers = dict[str, dict[str, str]]

PORT: Final = 8099
METADATA: Final = "169.254.169.254"
NEIGHBOURS: Final = ["10.77.0.7", "172.16.77.7", "192.168.77.7", "100.100.100.200"]
INTERNET: Final = "198.51.100.7"
OTHER_LOOPBACK: Final = "127.0.0.2"
SIMULATOR: Final = {"imagebot": LAB["bot_telegram_api_url"], "imageworker": LAB["worker_fal_queue_url"]}
OWN_SECRET: Final = {"imagebot": "imagebot_telegram_token", "imageworker": "imagebot_fal_key"}

PROBE: Final = """
import errno, json, mmap, os, shutil, socket, subprocess, sys


def outcome(attempt, *arguments):
    try:
        attempt(*arguments)
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def connect(host, port):
    socket.create_connection((host, port), timeout=3).close()


def send(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"", (host, port))


def execute(directory):
    path = shutil.copy("/usr/bin/true", f"{directory}/imagebot-probe")
    try:
        os.chmod(path, 0o700)
        subprocess.run([path], check=True)
    finally:
        os.remove(path)


def load(directory):
    path = shutil.copy("/usr/bin/true", f"{directory}/imagebot-probe")
    try:
        with open(path, "rb") as library:
            mmap.mmap(library.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()
    finally:
        os.remove(path)


def read(path):
    with open(os.path.expandvars(path), "rb") as file:
        file.read()


def writable():
    # The last mount at a path is the one that is seen there.
    mounts = {fields[4]: fields[5].split(",") for fields in map(str.split, open("/proc/self/mountinfo"))}
    may_write = {path: options for path, options in mounts.items() if "ro" not in options}
    return {path: "noexec" if "noexec" in options else "exec" for path, options in may_write.items()}


def memory_file():
    os.close(os.memfd_create("probe"))


questions = json.load(open(sys.argv[1]))
answers = {
    "connect": {f"{host}:{port}": outcome(connect, host, port) for host, port in questions["connect"]},
    "send": {f"{host}:{port}": outcome(send, host, port) for host, port in questions["connect"]},
    "execute": {path: outcome(execute, path) for path in questions["directories"]},
    "load": {path: outcome(load, path) for path in questions["directories"]},
    "read": {path: outcome(read, path) for path in questions["read"]},
    "writable": writable(),
    "memory": {"memfd_create": outcome(memory_file)},
}
print(json.dumps(answers))
"""

FILES: Final = "/run/imagebot-probe"
UNIT: Final = """
[Service]
Type=oneshot
NotifyAccess=none
Restart=no
WatchdogSec=0
ExecStart=
ExecStart=/opt/imagebot/current/venv/bin/python {files}/probe.py {files}/questions.json
ExecStopPost=
StandardOutput=truncate:{files}/answers.json
{more}
"""
TAKEN_BACK: Final = "IPAddressDeny=\nNoExecPaths=\nSystemCallFilter=\n"
"""What the same probe needs to get everywhere: so what stops it is this, and the probe can tell."""


class Confined(NamedTuple):
    program: str
    shut_in: Answers
    let_out: Answers
    """What it is told without the rules that are tested."""
    directories: list[str]
    others_secrets: list[str]
    resolver: str


def write(host: Host, path: str, text: str) -> None:
    host.check_output(f"mkdir -p $(dirname {path}) && cat >{path} <<'END'\n{text}\nEND")


def ask(host: Host, program: str, questions: dict[str, Any], more: str) -> Answers:
    drop_in = f"/run/systemd/system/{program}@99.service.d"
    write(host, f"{FILES}/probe.py", PROBE)
    write(host, f"{FILES}/questions.json", json.dumps(questions))
    write(host, f"{drop_in}/probe.conf", UNIT.format(files=FILES, more=more))
    try:
        host.check_output("systemctl daemon-reload")
        started = host.run(f"systemctl start {program}@99")
        assert started.rc == 0, host.check_output(f"journalctl --no-pager --unit {program}@99 --lines 30")
        return dict(json.loads(host.check_output(f"cat {FILES}/answers.json")))
    finally:
        host.check_output(f"rm -r {drop_in} {FILES} && systemctl daemon-reload")
        host.run(f"systemctl reset-failed {program}@99")


@pytest.fixture(scope="module")
def world(vps: Host) -> Iterator[Host]:
    """Give the VPS the world's addresses, and let something answer there."""
    addresses = [METADATA, *NEIGHBOURS, INTERNET]
    vps.check_output(" && ".join(f"ip address add {address}/32 dev lo" for address in addresses))
    vps.check_output(f"systemd-run --unit=imagebot-world python3 -m http.server --directory /mnt {PORT}")
    try:
        yield vps
    finally:
        vps.check_output("systemctl stop imagebot-world")
        vps.check_output(" && ".join(f"ip address delete {address}/32 dev lo" for address in addresses))


@pytest.fixture(scope="module", params=SIMULATOR)
def confined(request: pytest.FixtureRequest, world: Host) -> Confined:
    program = str(request.param)
    simulator = urlsplit(SIMULATOR[program])
    resolver = world.check_output("awk '$1 == \"nameserver\" {print $2; exit}' /etc/resolv.conf")
    directories = ["/srv/imagebot/media", f"/var/lib/{program}", "/tmp", "/var/tmp", "/dev/shm"]  # noqa: S108 - on the VPS
    others = "imageworker" if program == "imagebot" else "imagebot"
    secrets = world.check_output(f"ls -d /etc/imagebot/credentials/* /run/credentials/{others}@1.service/*").split()
    answering = [METADATA, *NEIGHBOURS, INTERNET, OTHER_LOOPBACK]
    questions = {
        "connect": [
            *((address, PORT) for address in answering),
            *(("127.0.0.1", port) for port in (6379, 6380)),
            (simulator.hostname, simulator.port),
        ],
        "directories": directories,
        "read": [*secrets, f"$CREDENTIALS_DIRECTORY/{OWN_SECRET[program]}"],
    }
    return Confined(
        program,
        ask(world, program, questions, ""),
        ask(world, program, questions, TAKEN_BACK),
        directories,
        secrets,
        resolver,
    )


def test_without_the_rules_it_would_get_everywhere(confined: Confined) -> None:
    told = confined.let_out
    assert set(told["connect"].values()) == {"done"}
    assert set(told["send"].values()) == {"done"}
    # Media that are mounted are noexec by themselves.
    disk = [path for path in confined.directories if path != "/srv/imagebot/media"]
    assert {told[how][path] for how in ("execute", "load") for path in disk} == {"done"}
    assert told["memory"] == {"memfd_create": "done"}


def test_metadata_of_the_cloud_neighbours_and_the_rest_of_loopback_are_out_of_reach(confined: Confined) -> None:
    for address in [METADATA, *NEIGHBOURS, OTHER_LOOPBACK]:
        assert confined.shut_in["connect"][f"{address}:{PORT}"] == "no answer", address
        assert confined.shut_in["send"][f"{address}:{PORT}"] == "EPERM", address


def test_the_internet_is_open_to_workers_only(confined: Confined) -> None:
    expected = ("done", "done") if confined.program == "imageworker" else ("no answer", "EPERM")
    shut_in, where = confined.shut_in, f"{INTERNET}:{PORT}"
    assert (shut_in["connect"][where], shut_in["send"][where]) == expected


def test_redis_and_the_service_it_talks_to_are_reached(confined: Confined) -> None:
    simulator = urlsplit(SIMULATOR[confined.program]).netloc
    for where in ("127.0.0.1:6379", "127.0.0.1:6380", simulator):
        assert confined.shut_in["connect"][where] == "done", where


def test_the_resolver_is_let_through(confined: Confined, vps: Host) -> None:
    allowed = vps.check_output(f"systemctl show {confined.program}@1 --property=IPAddressAllow --value").split()
    assert f"{confined.resolver}/32" in allowed


def test_nothing_it_could_write_is_run_or_mapped_as_code(confined: Confined) -> None:
    for path in confined.directories:
        assert confined.shut_in["execute"][path] == "EACCES", path
        assert confined.shut_in["load"][path] == "EPERM", path
    assert confined.shut_in["memory"] == {"memfd_create": "EPERM"}
    assert set(confined.directories) <= confined.shut_in["writable"].keys()
    assert set(confined.shut_in["writable"].values()) == {"noexec"}


def test_it_reads_its_own_secrets_and_no_other(confined: Confined) -> None:
    told = dict(confined.shut_in["read"])
    assert told.pop(f"$CREDENTIALS_DIRECTORY/{OWN_SECRET[confined.program]}") == "done"
    assert told.keys() == set(confined.others_secrets)
    assert set(told.values()) <= {"EACCES", "ENOENT"}
