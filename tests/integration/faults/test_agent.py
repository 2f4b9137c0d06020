"""What the chaos test's agent measures on the VPS: how long a job was in nobody's hands, in a log that survives."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core import queues, redis_keys
from tests.faults.vps.agent import LOG_BYTES, Hands, Log
from tests.support.redis_server import RedisServer

LEASES = redis_keys.leases(queues.QUEUE)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    process = RedisServer(tmp_path)
    yield process
    process.kill()


def entries(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().rstrip(b"\0").splitlines()]


def claim(redis: RedisServer, job: str, execution: str, worker: str) -> float:
    at = time.time()
    redis.client.hset(f"rq:execution:{job}:{execution}", mapping={"worker_name": worker, "created_at": at})
    redis.client.zadd(LEASES, {f"{job}:{execution}": at + 10})
    return at


def taken_up(log: Path, count: int) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + 30
    while len(found := entries(log)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return {entry["job"]: entry for entry in found}


def test_a_job_is_in_nobodys_hands_from_its_workers_death_until_a_living_worker_claims_it(
    redis: RedisServer, tmp_path: Path
) -> None:
    hands = Hands(redis.client, Log(tmp_path / "log"))
    hands.start()
    for job in ("claimed", "ended", "others"):
        claim(redis, job, "1", "worker@2" if job == "others" else "worker@1")
    time.sleep(1)  # a job that is claimed and let go between two looks is not seen; these are
    died = time.time()
    hands.died("worker@1", died)

    redis.client.zrem(LEASES, "claimed:1", "ended:1")
    redis.client.hset(redis_keys.request("ended"), "state", "done")
    again = claim(redis, "claimed", "2", "worker@2")
    found = taken_up(tmp_path / "log", 2)

    assert found.keys() == {"claimed", "ended"}
    assert found["claimed"]["seconds"] == pytest.approx(again - died, abs=0.002)
    assert found["ended"]["seconds"] >= 0


def test_a_claim_that_is_first_seen_after_its_workers_death_counts_from_the_death(
    redis: RedisServer, tmp_path: Path
) -> None:
    hands = Hands(redis.client, Log(tmp_path / "log"))
    claim(redis, "job", "1", "worker@1")
    died = time.time()
    hands.died("worker@1", died)
    hands.start()
    time.sleep(1)
    redis.client.zrem(LEASES, "job:1")
    again = claim(redis, "job", "2", "worker@1")
    assert taken_up(tmp_path / "log", 1)["job"]["seconds"] == pytest.approx(again - died, abs=0.002)


def test_the_log_has_its_space_beforehand_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Log(path).write("kill", unit="one")
    Log(path).write("kill", unit="two")
    assert [entry["unit"] for entry in entries(path)] == ["one", "two"]
    assert path.stat().st_size == LOG_BYTES
