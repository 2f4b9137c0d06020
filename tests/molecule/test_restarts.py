"""Redis comes back with all it held, whatever ended it: compared by a digest of every key.

The bot and the workers rest meanwhile, also over a boot, for else they would go on writing.
"""

import base64
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import CHECKOUT, SECRETS, VPS
from .test_hosts import operator, properties
from .test_pictures import until

Host = Any

PORTS = {"queue": 6379, "cache": 6380}
TARGETS = "imageworker.target imagebot.target"
DIGEST = Path(__file__).with_name("dataset.lua").read_text()
# Written twice in one script, as ours do: in the append-only file that is MULTI ... EXEC.
WRITE = """
for number = 1, 200 do
  redis.call('HSET', KEYS[1] .. number, 'state', ARGV[1], 'text', string.rep('x', 500))
  redis.call('ZADD', KEYS[2], number, KEYS[1] .. number)
end
"""


def lab(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "tests.lab", *arguments], cwd=CHECKOUT, check=True)


def restart(vps: Host) -> None:
    vps.check_output("systemctl restart redis-server@queue redis-server@cache")


def kill(vps: Host) -> None:
    vps.check_output("systemctl kill --signal=KILL redis-server@queue redis-server@cache")


def reboot(_vps: Host) -> None:
    lab("reboot", VPS)


def power_cut(_vps: Host) -> None:
    lab("power-cut", VPS)
    lab("power-on", VPS)


def answers(vps: Host) -> bool:
    return all(vps.run(f"redis-cli -p {port} PING").stdout == "PONG\n" for port in PORTS.values())


def fill(vps: Host, port: int, user: str, what: str) -> None:
    password = SECRETS["redis_passwords"][user]
    command = f"REDISCLI_AUTH={password} redis-cli --no-auth-warning --user {user} -p {port} EVAL %s 2 %s %s %s"
    said = vps.check_output(command, WRITE, f"imagebot:test-{user}:", f"imagebot:test-{user}-all", what)
    assert said == ""


def digest(vps: Host, port: int) -> dict[str, list[str]]:
    """Return type, time of death (ms, -1 for never) and digest of each key."""
    lines = vps.check_output(f"redis-cli -p {port} EVAL %s 0 %s", DIGEST, "*").splitlines()
    return {key: rest for key, *rest in (line.rsplit(" ", 3) for line in lines)}


def alive(keys: dict[str, list[str]], now: float) -> dict[str, list[str]]:
    return {key: rest for key, rest in keys.items() if rest[1] == "-1" or int(rest[1]) > now}


@pytest.fixture(scope="module")
def resting(vps: Host) -> Iterator[Host]:
    """The VPS without bots and workers."""
    vps.run(f"systemctl disable --now {TARGETS}")
    vps.check_output("sync")
    yield vps
    vps.run(f"systemctl enable --now {TARGETS}")
    vps.run(
        "redis-cli EVAL \"for _, k in ipairs(redis.call('KEYS', 'imagebot:test-*')) do redis.call('DEL', k) end\" 0"
    )


@pytest.mark.parametrize("ending", [restart, kill, reboot, power_cut])
def test_all_data_are_there_again(resting: Host, ending: Callable[[Host], None]) -> None:
    vps = resting
    fill(vps, PORTS["cache"], "bot", ending.__name__)
    # The cache may lose its last second at a power cut, and only that: what it wrote so far is synced here.
    vps.check_output("sync /var/lib/redis/cache/appendonlydir/*")
    fill(vps, PORTS["queue"], "worker", ending.__name__)
    fill(vps, PORTS["queue"], "bot", ending.__name__)
    before = {port: digest(vps, port) for port in PORTS.values()}
    runs = {port: operator(vps, port, "INFO server").split("run_id:")[1][:40] for port in PORTS.values()}

    ending(vps)
    assert until(lambda: answers(vps))

    for unit, port in ((f"redis-server@{name}", port) for name, port in PORTS.items()):
        assert operator(vps, port, "INFO server").split("run_id:")[1][:40] != runs[port]
        after = digest(vps, port)
        now = 1000 * time.time() + 60_000
        assert len(before[port]) >= 201
        assert alive(after, now) == alive(before[port], now)
        this_start = properties(vps, unit, "InvocationID")["InvocationID"]
        said = vps.check_output(f"journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID={this_start}")
        assert "DB loaded from append only file" in said
        assert "CRITICAL" not in said


def test_without_its_files_it_says_so_and_does_not_start_empty(resting: Host) -> None:
    vps = resting
    files, aside = "/var/lib/redis/queue/appendonlydir", "/var/lib/redis/appendonlydir.aside"
    before = digest(vps, PORTS["queue"])
    vps.check_output(f"systemctl stop redis-server@queue && mv {files} {aside}")
    try:
        assert vps.run("systemctl start redis-server@queue").rc != 0
        assert vps.run(f"test -e {files}").rc != 0
        said = vps.check_output("journalctl --no-pager --output=cat --unit=redis-server@queue --lines=50")
        assert f"{files}/appendonly.aof.manifest is gone" in said
    finally:
        vps.check_output(f"mv {aside} {files}")
    # By itself, as it does when a file system is mounted late.
    assert until(lambda: answers(vps))
    now = 1000 * time.time() + 60_000
    assert alive(digest(vps, PORTS["queue"]), now) == alive(before, now)


def test_whoever_fills_the_disk_leaves_the_queue_its_room(resting: Host) -> None:
    """Written, rewritten, restarted and killed, while the workers' user has not a byte left."""
    vps, port = resting, PORTS["queue"]
    as_worker = "runuser -u imageworker --"
    try:
        # To the last block: fallocate takes most at once, dd the rest.
        for size in ("100M", "1M", "64K", "4K"):
            vps.run(f"n=0; while {as_worker} fallocate -l {size} /var/tmp/filler.{size}.$n; do n=$((n+1)); done")
        assert vps.run(f"{as_worker} dd if=/dev/zero of=/var/tmp/filler bs=64k count=1").rc != 0
        for turn in range(5):
            fill(vps, port, "worker", f"full-{turn}")
            vps.check_output(f"redis-cli -p {port} BGREWRITEAOF")
        before = digest(vps, port)
        for ending in ("restart", "kill --signal=KILL"):
            vps.check_output(f"systemctl {ending} redis-server@queue")
            assert until(lambda: vps.run(f"redis-cli -p {port} PING").stdout == "PONG\n")
            now = 1000 * time.time() + 60_000
            assert alive(digest(vps, port), now) == alive(before, now)
    finally:
        vps.check_output("rm -f /var/tmp/filler*")


OLD_FILES = Path(__file__).with_name("redis-7.0-files.tar.gz")
"""Append-only files of Debian 12's Redis 7.0.15: every type, a base and what came after it, scripts' transactions."""
OLD_DIGEST = "a20049b3fcd6c32496da435c0a131326a04369b0f3c5f78aedeec966da0771ae"
"""SHA-256 of what ``dataset.lua`` said of them there."""


def test_what_an_older_redis_wrote_is_loaded_whole(vps: Host) -> None:
    """Debian's next release brings a new major version of Redis, and finds the files of the old."""
    place = "/var/tmp/older-redis"  # noqa: S108 - on the VPS
    packed = base64.b64encode(OLD_FILES.read_bytes()).decode()
    vps.check_output(f"mkdir {place} && echo {packed} | base64 -d | tar -xz -C {place} && chown -R redis: {place}")
    try:
        vps.check_output(
            f"systemd-run --quiet --unit=older-redis --uid=redis redis-server"
            f" --port 0 --unixsocket {place}/socket --dir {place} --appendonly yes --save ''"
        )
        ask = f"redis-cli -s {place}/socket"
        assert until(lambda: vps.run(f"{ask} PING").stdout == "PONG\n")
        said = vps.check_output(f"{ask} EVAL %s 0 %s", DIGEST, "*")
        assert hashlib.sha256("\n".join(said.splitlines()).encode()).hexdigest() == OLD_DIGEST
    finally:
        vps.run(f"systemctl stop older-redis; rm -rf {place}")
