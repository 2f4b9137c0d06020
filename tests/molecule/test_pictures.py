"""A picture from end to end, and where it lands."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from app.core import queues, redis_keys

from .conftest import CHECKOUT, SECRETS
from .test_hosts import WORKERS, operator, properties

Host = Any
MEDIA = "/srv/imagebot/media"


def picture(path: Path) -> dict[str, Any]:
    """Let a person ask for a picture; return what came."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "tests.demo.conversation"),
            *("--telegram", SECRETS["bot_telegram_api_url"], "--picture", str(path)),
        ],
        cwd=CHECKOUT,
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def until(happened: Callable[[], bool], retry_policy: float = 120.0) -> bool:
    """Wait until something happened; tell whether it did."""
    deadline = time.monotonic() + retry_policy
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def test_media_are_mounted_as_pictures_need_it(vps: Host) -> None:
    kind, options = vps.check_output(f"findmnt --noheadings --output FSTYPE,OPTIONS {MEDIA}").split()
    assert kind == "nfs4"
    assert {"hard", "vers=4.2", "nosuid", "nodev", "noexec"} <= set(options.split(","))


def test_a_prompt_comes_back_as_a_picture_and_lands_on_the_nfs_server(vps: Host, nfs: Host, tmp_path: Path) -> None:
    before = set(nfs.check_output(f"find {MEDIA} -type f").splitlines())
    told = picture(tmp_path / "picture")
    assert told["bytes"] == (tmp_path / "picture").stat().st_size
    added = set(nfs.check_output(f"find {MEDIA} -type f").splitlines()) - before
    assert added
    owners = nfs.check_output(f"stat --format='%U:%G' {' '.join(added)}").splitlines()
    assert set(owners) == {"imageworker:imagebot-media"}


def test_bot_and_workers_asked_redis_for_nothing_they_may_not_do(vps: Host) -> None:
    for port in (6379, 6380):
        denied = operator(vps, port, "ACL LOG")
        assert not [user for user in ("bot", "worker") if f"\n{user}\n" in denied], denied


def holder(vps: Host) -> str:
    """Return the unit whose worker holds a job, or nothing."""
    if not (lease := operator(vps, 6379, f"ZRANGE {redis_keys.leases(queues.QUEUE)} 0 0").strip()):
        return ""
    return operator(vps, 6379, f"HGET {redis_keys.rq_execution(lease)} worker_name").strip().split(".")[0]


def test_what_a_killed_worker_held_is_put_back_by_its_unit(vps: Host, tmp_path: Path) -> None:
    began = vps.check_output("date +@%s")
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(picture, tmp_path / "picture")
        assert until(lambda: bool(holder(vps)))
        unit = holder(vps)
        assert unit.startswith("imageworker@")
        vps.check_output(f"systemctl kill --kill-whom=main --signal=KILL {unit}")
        assert asking.result()["bytes"]
    said = vps.check_output(f"journalctl --output=cat --unit={unit} --since={began}")
    assert "NOAUTH" not in said, "ExecStopPost= has no password of Redis"
    assert "put back 1 " in said


def test_one_worker_restarts_alone(vps: Host) -> None:
    pids = {unit: properties(vps, unit, "MainPID")["MainPID"] for unit in WORKERS}
    vps.check_output("systemctl restart imageworker@3")
    changed = {unit for unit in WORKERS if properties(vps, unit, "MainPID")["MainPID"] != pids[unit]}
    assert changed == {"imageworker@3"}
