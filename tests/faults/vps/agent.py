"""Runs on the VPS under the application's own Python, as a unit of its own: makes faults, and looks who holds what.

It follows absolute times, so it goes on after a reboot and needs nobody outside. What it has to say goes into a file
whose space is taken beforehand: it can be written to while the disk is full, and survives a power cut.
``agent.py status`` tells what there is now.
"""

import json
import mmap
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from app.core import queues, redis_keys

HOME = Path(__file__).resolve().parent
LOG_BYTES = 4 << 20
LOOK_EVERY = 0.2
ENDED = ("done", "failed", "cancelled")
CGROUPS = Path("/sys/fs/cgroup/system.slice")
JUNK = "chaos:junk:"
DOWN_MOST = 1
"""Instances of a template that may be down when another is killed."""
RESTARTED = ("imageworker.target", "imagebot.target", "redis-server@queue", "redis-server@cache")


class Log:
    """One JSON object a line, in a file that is full of zeros before."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(LOG_BYTES))
        self._lock = threading.Lock()
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), LOG_BYTES)
        end = self._map.find(b"\0")
        self._map.seek(end)

    def write(self, event: str, **more: Any) -> None:
        """Note what happened now; it lies on the disk before this returns."""
        line = json.dumps({"at": round(time.time(), 3), "event": event, **more}).encode() + b"\n"
        with self._lock:
            self._map.write(line)
            self._map.flush()


class Hands(threading.Thread):
    """Follows the leases: how long was a job in nobody's hands after its worker had died?

    The time runs from the death until a living worker claims the job, or its request ends. While submits are paused
    (``redis_keys.PAUSED``) nobody is to claim anything, and the job is left out.
    """

    def __init__(self, redis: "Redis", log: Log) -> None:
        super().__init__(daemon=True)
        self._redis = redis
        self._log = log
        self._lock = threading.Lock()
        self._claims: dict[str, tuple[str, float]] = {}
        self._held: dict[str, tuple[str, float]] = {}
        self._deaths: dict[str, list[float]] = defaultdict(list)
        self._orphans: dict[str, float] = {}

    def died(self, worker: str, at: float) -> None:
        """Note that a worker's process has just died."""
        with self._lock:
            self._deaths[worker].append(at)
            for job, (holder, claimed) in self._held.items():
                if holder == worker and claimed < at:
                    self._orphans.setdefault(job, at)

    def run(self) -> None:
        """Look, and look again; note when Redis does not answer, and when it does again."""
        away = False
        while True:
            time.sleep(LOOK_EVERY)
            try:
                self._look()
            except (RedisError, OSError):
                if not away:
                    self._log.write("redis-away")
                away = True
            else:
                if away:
                    self._log.write("redis-back")
                away = False

    def _look(self) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for queue in queues.QUEUES:
            pipeline.zrange(redis_keys.leases(queue), 0, -1)
        pipeline.exists(redis_keys.PAUSED)
        *sets, paused = pipeline.execute()
        leased = [composite for composites in sets for composite in composites]
        for composite in leased:
            if composite not in self._claims:
                pipeline.hmget(f"rq:execution:{composite}", "worker_name", "created_at")
        new = [composite for composite in leased if composite not in self._claims]
        for composite, (worker, created) in zip(new, pipeline.execute(), strict=True):
            if worker:
                self._claims[composite] = (worker, float(created))
        with self._lock:
            self._follow(leased, bool(paused))

    def _follow(self, leased: list[str], paused: bool) -> None:
        held: dict[str, tuple[str, float]] = {}
        for composite in leased:
            job, (worker, claimed) = composite.split(":")[0], self._claims.get(composite, ("", 0.0))
            if not worker:
                continue
            if job in self._orphans and claimed > self._orphans[job]:
                self._tell(job, claimed)
            if death := next((at for at in self._deaths[worker] if at > claimed), None):
                self._orphans.setdefault(job, death)
            else:
                held[job] = (worker, claimed)
        self._held = held
        for job in [job for job in self._orphans if job not in held]:
            if paused:
                del self._orphans[job]
            elif self._redis.hget(redis_keys.request(job), "state") in ENDED:
                self._tell(job, time.time())

    def _tell(self, job: str, until: float) -> None:
        died = self._orphans.pop(job)
        self._log.write("taken-up", job=job, died=round(died, 3), seconds=round(until - died, 3))


class Agent:
    """Makes the faults of a plan (``plan.json``)."""

    def __init__(self) -> None:
        self._plan: dict[str, Any] = json.loads((HOME / "plan.json").read_text())
        self._chance = random.Random(self._plan["seed"])
        self._log = Log(HOME / "log")
        self._redis = connect(self._plan)
        self._hands = Hands(connect(self._plan), self._log)
        self._stopped: set[int] = set()
        self._killing: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def run(self) -> None:
        """Follow the timetable to its end, then go on looking."""
        began = time.time()
        self._log.write("agent", pid=os.getpid())
        self._hands.start()
        for fault in self._plan["faults"]:
            at = self._plan["began"] + fault["at"]
            if at < began:  # a reboot or a power cut took its time
                continue
            time.sleep(max(0.0, at - time.time()))
            doing: Callable[..., None] = getattr(self, "_" + fault["kind"].replace("-", "_"))
            threading.Thread(target=doing, args=(fault["target"], fault["seconds"]), daemon=True).start()
        while True:
            time.sleep(3600)

    def _kill(self, target: str, seconds: float) -> None:
        """Kill one that is up, unless too many are down: who only starts does not die at work.

        It waits so many seconds for a victim; meanwhile the next kills of the same target are left out.
        """
        turn = self._killing[target]
        found: list[tuple[str, int]] = []
        if turn.acquire(blocking=False):
            until = time.monotonic() + seconds
            while not (found := self._victims(target)) and time.monotonic() < until:
                time.sleep(0.5)
            turn.release()
        if not found:
            self._log.write("spared", unit=target)
            return
        unit, pid = self._chance.choice(found)
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        if unit.startswith("imageworker@"):
            self._hands.died(f"{unit}.{socket.gethostname()}", at)
        self._log.write("kill", unit=unit, pid=pid)

    def _victims(self, target: str) -> list[tuple[str, int]]:
        found, down = self._up(target)
        return found if down <= DOWN_MOST else []

    def _stop(self, target: str, seconds: float) -> None:
        if not (found := self._up(target)[0]):
            self._log.write("spared", unit=target, up=0)
            return
        unit, pid = self._chance.choice(found)
        self._stopped.add(pid)
        os.kill(pid, signal.SIGSTOP)
        self._log.write("stop", unit=unit, pid=pid)
        time.sleep(seconds)
        try:
            os.kill(pid, signal.SIGCONT)
            self._log.write("continue", unit=unit, pid=pid)
        except ProcessLookupError:
            self._log.write("died while stopped", unit=unit, pid=pid)
        self._stopped.discard(pid)

    def _restart_all(self, _: str, __: float) -> None:
        self._log.write("restart-all")
        done = subprocess.run(["systemctl", "restart", *RESTARTED], capture_output=True, text=True, check=False)
        self._log.write("restarted-all", status=done.returncode, said=done.stderr[-300:])

    def _reboot(self, _: str, __: float) -> None:
        self._log.write("reboot")
        subprocess.run(["systemctl", "reboot"], check=False)

    def _disk_full(self, _: str, seconds: float) -> None:
        until, path, size, taken = time.monotonic() + seconds, HOME / "filling", 1 << 30, 0
        self._log.write("disk-full")
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
        while time.monotonic() < until:
            try:
                os.posix_fallocate(descriptor, taken, size)
                taken += size
            except OSError:
                if size > 4096:
                    size //= 4
                else:  # somebody may give space back
                    time.sleep(0.2)
        os.close(descriptor)
        path.unlink()
        self._log.write("disk-free", bytes=taken)

    def _redis_full(self, _: str, seconds: float) -> None:
        until, size, number = time.monotonic() + seconds, 1 << 20, 0
        self._log.write("redis-full")
        while time.monotonic() < until:
            try:
                self._redis.set(f"{JUNK}{number}", "x" * size)
                number += 1
            except ResponseError:  # full, down to values of this size
                if size > 64:
                    size //= 4
                else:
                    time.sleep(0.2)
            except (RedisError, OSError):
                time.sleep(0.2)
        while not self._junk_deleted():
            time.sleep(0.2)
        self._log.write("redis-free", keys=number)

    def _junk_deleted(self) -> bool:
        try:
            for key in self._redis.scan_iter(f"{JUNK}*", count=1000):
                self._redis.unlink(key)
        except (RedisError, OSError):
            return False
        return True

    def _units(self, target: str) -> dict[str, str]:
        """Return the state of a unit, or of all instances of a template."""
        pattern = f"{target}.service" if "@" in target else f"{target}@*.service"
        command = ["systemctl", "list-units", "--all", "--plain", "--no-legend", pattern]
        listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        rows = [line.split() for line in listed.splitlines()]
        return {row[0].removesuffix(".service"): row[2] for row in rows}

    def _up(self, target: str) -> tuple[list[tuple[str, int]], int]:
        """List (unit, main process) of those that have started and are not stopped; count the others."""
        found, units = [], self._units(target)
        for unit, state in units.items():
            for group in CGROUPS.glob(f"*/{unit}.service") if state == "active" else ():
                pids = map(int, (group / "cgroup.procs").read_text().split())
                found += [(unit, pid) for pid in pids if pid not in self._stopped and is_main(pid)]
        return found, len(units) - len(found)


def is_main(pid: int) -> bool:
    """Tell whether a process is what its unit is for: systemd's own child, and no helper."""
    try:
        parent = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1]
        line = (Path("/proc") / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return False
    return parent == "1" and (line[-1] in ("app.worker", "app.bot") or "redis-server" in line[0])


def connect(plan: dict[str, Any]) -> "Redis":
    """Return a client of the queue's Redis, as the operator."""
    password = plan["operator_password"]
    return Redis(username="operator", password=password, decode_responses=True, socket_timeout=5)


def status() -> dict[str, Any]:
    """Return what is left in Redis, and its counters."""
    redis = connect(json.loads((HOME / "plan.json").read_text()))
    kinds = {name: redis.llen(f"rq:queue:{name}") for name in queues.QUEUES}
    leases = sum(redis.zcard(redis_keys.leases(name)) for name in queues.QUEUES)
    return {
        "queued": sum(kinds.values()),
        "leased": leases,
        "counters": redis.hgetall(redis_keys.COUNTERS),
        "keys": redis.dbsize(),
        "states": states(redis),
    }


def states(redis: "Redis") -> dict[str, list[str]]:
    """Return the requests that have not ended, by state."""
    found: dict[str, list[str]] = defaultdict(list)
    for key in redis.scan_iter(redis_keys.request("*"), count=1000):
        state = redis.hget(key, "state")
        if state not in ENDED:
            found[str(state)].append(key.rpartition(":")[2])
    return dict(found)


if __name__ == "__main__":
    if sys.argv[1:] == ["status"]:
        print(json.dumps(status()))
    else:
        Agent().run()
