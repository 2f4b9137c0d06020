"""What a unit runs after its worker's end: jobs of the dead go back at once, those of the living stay."""

import socket
import subprocess
import sys

import pytest
from redis.exceptions import OutOfMemoryError

from app.core.requests import RequestState
from tests.integration.worker.world import ROOT, World
from tests.support import shipped
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=60]"
KILLED = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}


def stop_post(world: World, name: str = "imageworker@1", **environment: str) -> str:
    """Run it as systemd does, without the worker's credentials; give what it says."""
    command = [sys.executable, "-m", "app.worker.after_death"]
    settings = shipped.environment("worker", world.directory / "credentials" / name, world.environment)
    del settings["CREDENTIALS_DIRECTORY"]
    named = {"IMAGEBOT_WORKER_NAME": name, "RUNTIME_DIRECTORY": str(world.runtime_directory(name))}
    environment = settings | named | environment
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stderr


def held(world: World, count: int, prompt: str = SLOW) -> list[str]:
    """Let a worker hold jobs that fal has."""
    world.worker().until_ready()
    ids = world.orders(count, prompt)
    for request_id in ids:
        world.until_state(request_id, RequestState.SUBMITTED)
    return ids


def test_after_a_crash_the_jobs_are_at_the_heads_of_their_queues_at_once(world: World) -> None:
    ids = held(world, 3)
    waiting = world.order()
    other = world.worker("imageworker@2", WORKER_CONCURRENCY="1")
    world.until_state(waiting, RequestState.DONE)
    wait_until(lambda: world.redis.zcard("imagebot:leases:img_queue") == 3, "its lease ends")
    world.workers[0].kill()
    other.kill(19)  # SIGSTOP: nobody else puts anything back
    assert stop_post(world, **KILLED) == "put back 3 jobs that imageworker@1 left behind\n"
    assert world.redis.lrange("rq:queue:img_queue", 0, -1) == ids
    assert {world.job(request_id).get_status() for request_id in ids} == {"queued"}
    assert (world.leases(), world.redis.keys("rq:execution:*")) == ({}, [])
    assert stop_post(world, **KILLED) == ""
    other.kill(18)


def test_another_worker_has_them_without_having_to_find_out_that_the_first_is_dead(world: World) -> None:
    ids = held(world, 3, "a fox [sim:latency=3]")
    other = world.worker("imageworker@2").until_ready()
    world.workers[0].kill()
    stop_post(world, **KILLED)
    world.until_ended(ids)
    world.assert_each_done_once(ids)
    assert {world.job(request_id).worker_name for request_id in ids} == {other.name}
    assert "took back" not in other.log()


def test_after_a_watchdogs_kill_or_a_failure_too(world: World) -> None:
    ids = held(world, 1)
    world.workers[0].kill()
    stop_post(world, SERVICE_RESULT="watchdog", EXIT_CODE="killed", EXIT_STATUS="ABRT")
    assert world.redis.lrange("rq:queue:img_queue", 0, -1) == ids


@pytest.mark.parametrize(
    "end",
    [
        {"SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0"},
        {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "78"},
    ],
)
def test_after_a_good_end_or_a_refused_start_it_does_nothing(world: World, end: dict[str, str]) -> None:
    held(world, 1)
    assert stop_post(world, **end) == ""
    assert world.redis.llen("rq:queue:img_queue") == 0


def test_without_redis_it_says_so_and_fails_nothing(world: World) -> None:
    said = stop_post(world, **KILLED, IMAGEBOT_QUEUE_REDIS_URL="redis://127.0.0.1:1/0")
    assert "ConnectionRefusedError" in said


def test_a_redis_that_accepts_and_does_not_answer_holds_nothing_up(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert "TimeoutError" in stop_post(world, **KILLED, IMAGEBOT_QUEUE_REDIS_URL=url)


def test_a_redis_whose_memory_is_full_takes_the_jobs_back(world: World) -> None:
    ids = held(world, 2)
    world.workers[0].kill()
    world.redis.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(OutOfMemoryError):
            world.redis.set("imagebot:test", "more")
        assert stop_post(world, **KILLED).startswith("put back 2 jobs")
        assert world.redis.lrange("rq:queue:img_queue", 0, -1) == ids
    finally:
        world.redis.config_set("maxmemory", "0")


def test_it_imports_nothing_that_takes_long() -> None:
    code = "import sys, app.worker.after_death; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not {"redis", "rq", "httpx", "pydantic", "asyncio", "logging"} & set(loaded.split())
