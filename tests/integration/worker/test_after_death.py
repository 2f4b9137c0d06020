"""What a unit runs after its worker's end: jobs of the dead go back at once, those of the living stay."""

import socket
import subprocess
import sys

import pytest
from redis.exceptions import OutOfMemoryError

from app.core.requests import RequestState
from tests.integration.worker.harness import ROOT, Harness
from tests.support import shipped
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=60]"
KILLED = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}


def stop_post(harness: Harness, name: str = "imageworker@1", **environment: str) -> str:
    """Run it as systemd does, without the worker's credentials; give what it says."""
    command = [sys.executable, "-m", "app.worker.after_death"]
    settings = shipped.environment("worker", harness.directory / "credentials" / name, harness.environment)
    del settings["CREDENTIALS_DIRECTORY"]
    named = {"IMAGEBOT_WORKER_NAME": name, "RUNTIME_DIRECTORY": str(harness.runtime_directory(name))}
    environment = settings | named | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stderr


def held(harness: Harness, count: int, prompt: str = SLOW) -> list[str]:
    """Let a worker hold jobs that fal has."""
    harness.worker().until_ready()
    ids = harness.orders(count, prompt)
    for request_id in ids:
        harness.until_state(request_id, RequestState.SUBMITTED)
    return ids


def test_after_a_crash_the_jobs_are_at_the_heads_of_their_queues_at_once(harness: Harness) -> None:
    ids = held(harness, 3)
    waiting = harness.order()
    other = harness.worker("imageworker@2", WORKER_CONCURRENCY="1")
    harness.until_state(waiting, RequestState.DONE)
    wait_until(lambda: harness.redis.zcard("imagebot:leases:img_queue") == 3, "its lease ends")
    harness.workers[0].kill()
    other.kill(19)  # SIGSTOP: nobody else puts anything back
    assert stop_post(harness, **KILLED) == "put back 3 jobs that imageworker@1 left behind\n"
    assert harness.redis.lrange("rq:queue:img_queue", 0, -1) == ids
    assert {harness.job(request_id).get_status() for request_id in ids} == {"queued"}
    assert (harness.leases(), harness.redis.keys("rq:execution:*")) == ({}, [])
    assert stop_post(harness, **KILLED) == ""
    other.kill(18)


def test_another_worker_has_them_without_having_to_find_out_that_the_first_is_dead(harness: Harness) -> None:
    ids = held(harness, 3, "a fox [sim:latency=3]")
    other = harness.worker("imageworker@2").until_ready()
    harness.workers[0].kill()
    stop_post(harness, **KILLED)
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert {harness.job(request_id).worker_name for request_id in ids} == {other.name}
    assert "took back" not in other.log()


def test_after_a_watchdogs_kill_or_a_failure_too(harness: Harness) -> None:
    ids = held(harness, 1)
    harness.workers[0].kill()
    stop_post(harness, SERVICE_RESULT="watchdog", EXIT_CODE="killed", EXIT_STATUS="ABRT")
    assert harness.redis.lrange("rq:queue:img_queue", 0, -1) == ids


@pytest.mark.parametrize(
    "end",
    [
        {"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"},
        {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "78"},
    ],
)
def test_after_a_good_end_or_a_refused_start_it_does_nothing(harness: Harness, end: dict[str, str]) -> None:
    held(harness, 1)
    assert stop_post(harness, **end) == ""
    assert harness.redis.llen("rq:queue:img_queue") == 0


def test_without_redis_it_says_so_and_fails_nothing(harness: Harness) -> None:
    said = stop_post(harness, **KILLED, IMAGEBOT_QUEUE_REDIS_URL="redis://127.0.0.1:1/0")
    assert "ConnectionRefusedError" in said


def test_a_redis_that_accepts_and_does_not_answer_holds_nothing_up(harness: Harness) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert "TimeoutError" in stop_post(harness, **KILLED, IMAGEBOT_QUEUE_REDIS_URL=url)


def test_a_redis_whose_memory_is_full_takes_the_jobs_back(harness: Harness) -> None:
    ids = held(harness, 2)
    harness.workers[0].kill()
    harness.redis.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemoryError):
            harness.redis.set("imagebot:test", "more")
        assert stop_post(harness, **KILLED).startswith("put back 2 jobs")
        assert harness.redis.lrange("rq:queue:img_queue", 0, -1) == ids
    finally:
        harness.redis.config_set("maxmemory", "0")


def test_it_imports_nothing_that_takes_long() -> None:
    code = "import sys, app.worker.after_death; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not {"redis", "rq", "httpx", "pydantic", "asyncio", "logging"} & set(loaded.split())
