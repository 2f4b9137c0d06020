"""Redis away, and everything at once: a whole stack under load."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer

from app.core import queues, redis_keys
from app.core.requests import RequestState
from tests.integration.worker.harness import Harness, WorkerProcess
from tests.integration.worker.process import LEASE
from tests.simulators.client import Simulator
from tests.stack.stack import Stack
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until


@pytest.fixture
def mortal_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may kill."""
    process = RedisServer(tmp_path / "redis")
    yield process
    process.stop()


@pytest.fixture
def mortal_world(mortal_redis: RedisServer, fal: Simulator, tmp_path: Path) -> Iterator[Harness]:
    """A harness with that Redis."""
    harness = Harness(mortal_redis.url, fal.url, tmp_path)
    harness.clear()
    yield harness
    print(harness.dump())
    harness.clear()


def test_without_redis_at_start_a_worker_waits_and_says_so(mortal_redis: RedisServer, mortal_world: Harness) -> None:
    mortal_redis.kill()
    worker = mortal_world.worker(module="app.worker")
    worker.until_logged("waiting for Redis")
    wait_until(lambda: "STATUS=waiting for Redis" in worker.told_systemd(), "systemd is told")
    assert "READY=1" not in worker.told_systemd()
    mortal_redis.start()
    worker.until_ready()
    request_id = mortal_world.order()
    mortal_world.until_ended([request_id])
    mortal_world.assert_each_done_once([request_id])


def test_a_worker_without_redis_stops_as_quickly_as_any(mortal_redis: RedisServer, mortal_world: Harness) -> None:
    waiting = mortal_world.worker()
    waiting.until_ready()
    request_id = mortal_world.order("a fox [sim:latency=2]")
    mortal_world.until_state(request_id, RequestState.SUBMITTED)
    mortal_redis.kill()
    late = mortal_world.worker("imageworker@2")
    late.until_logged("waiting for Redis")
    assert (waiting.stop(), late.stop()) == (0, 0)
    mortal_redis.start()
    mortal_world.worker()
    mortal_world.until_ended([request_id])
    mortal_world.assert_each_done_once([request_id])


def test_when_redis_comes_back_jobs_go_on_in_the_same_process_and_commands_are_heard(
    mortal_redis: RedisServer, mortal_world: Harness
) -> None:
    worker = mortal_world.worker(WORKER_CONCURRENCY="4").until_ready()
    ids = mortal_world.orders(8, "a fox [sim:latency=1]")
    stopped = ids[3]
    for request_id in ids[:4]:
        mortal_world.until_state(request_id, RequestState.SUBMITTED)
    mortal_redis.kill()
    worker.until_logged("waiting for Redis")
    wait_until(lambda: mortal_world.counts()["completed"] == 4, "fal has drawn meanwhile")
    mortal_redis.start()
    mortal_world.until_ended(ids)
    mortal_world.assert_each_done_once(ids)
    assert {mortal_world.job(request_id).worker_name for request_id in ids} == {worker.name}
    assert "took back" not in worker.log()
    assert worker.log().count("handed back") == 0

    stopped = mortal_world.order("a fox [sim:latency=60]")
    mortal_world.until_state(stopped, RequestState.SUBMITTED)
    send_stop_job_command(mortal_world.rq, stopped, JSONSerializer)
    mortal_world.until_state(stopped, RequestState.CANCELLED)


def test_nothing_is_sent_to_fal_under_a_lease_that_could_not_be_renewed_for_its_length(
    mortal_redis: RedisServer, mortal_world: Harness
) -> None:
    """The process stood still before it asked fal, and Redis does not tell whether the job is still its own."""
    worker = mortal_world.worker(TEST_FREEZE_AT_SUBMIT="1")
    request_id = mortal_world.order()
    mortal_world.until_state(request_id, RequestState.SUBMITTING)
    mortal_redis.kill()
    time.sleep(LEASE)
    worker.kill(signal.SIGCONT)
    worker.until_logged("waiting for Redis")
    mortal_redis.start()
    worker.until_logged("goes back to its queue: the worker stops, or stood still")
    mortal_world.until_ended([request_id])
    mortal_world.assert_each_done_once([request_id])
    assert mortal_world.counts()["submits"] == 1


@pytest.mark.parametrize("killed", [True, False])
def test_after_redis_was_away_for_longer_than_a_lease_nobody_takes_a_living_workers_jobs(
    mortal_redis: RedisServer, mortal_world: Harness, killed: bool
) -> None:
    first = mortal_world.worker().until_ready()
    ids = mortal_world.orders(4, "a fox [sim:latency=60]")
    for request_id in ids:
        mortal_world.until_state(request_id, RequestState.SUBMITTED)
    second = mortal_world.worker("imageworker@2").until_ready()
    for _ in range(2):
        held = mortal_world.leases()
        mortal_redis.kill(signal.SIGKILL if killed else signal.SIGSTOP)
        time.sleep(LEASE * 1.5)
        first.kill(signal.SIGSTOP)  # the other is the first to see Redis again
        if killed:
            mortal_redis.start()
        else:
            mortal_redis.kill(signal.SIGCONT)
        wait_until(partial(has_beaten, second, second.told_systemd()), "the other worker has looked")
        first.kill(signal.SIGCONT)
        wait_until(partial(is_renewed, mortal_world, held), "all leases are renewed")
    assert "took back" not in second.log()
    first.kill()
    second.until_logged("jobs of workers that are gone")


def has_beaten(worker: WorkerProcess, told: list[str]) -> bool:
    return any(line.startswith("STATUS=") for line in worker.told_systemd()[len(told) :])


def is_renewed(harness: Harness, held: dict[str, float]) -> bool:
    now = harness.leases()
    return set(now) == set(held) and all(now[lease] > score for lease, score in held.items())


def test_leases_are_renewed_while_redis_memory_is_full(mortal_redis: RedisServer, mortal_world: Harness) -> None:
    mortal_world.worker().until_ready()
    request_id = mortal_world.order("a fox [sim:latency=60]")
    mortal_world.until_state(request_id, RequestState.SUBMITTED)
    mortal_world.redis.config_set("maxmemory", "1mb")
    with pytest.raises(OutOfMemoryError):
        mortal_world.redis.set("imagebot:test", "more")
    for _ in range(3):
        wait_until(partial(is_renewed, mortal_world, mortal_world.leases()), "the lease is renewed")


def test_a_full_redis_ends_no_worker_and_loses_nothing(mortal_redis: RedisServer, mortal_world: Harness) -> None:
    worker = mortal_world.worker().until_ready()
    ids = mortal_world.orders(3, "a fox [sim:latency=1]")
    for request_id in ids:
        mortal_world.until_state(request_id, RequestState.SUBMITTED)
    mortal_world.redis.config_set("maxmemory", "1mb")
    worker.until_logged("OutOfMemoryError")
    wait_until(lambda: mortal_world.counts()["completed"] == 3, "fal has drawn meanwhile")
    mortal_world.redis.config_set("maxmemory", "0")
    mortal_world.until_ended(ids)
    mortal_world.assert_each_done_once(ids)
    assert worker.stop() == 0


def test_what_was_taken_is_finished_while_redis_memory_is_full(
    mortal_redis: RedisServer, mortal_world: Harness
) -> None:
    """Nobody makes room meanwhile: only what ends frees memory, and slots."""
    worker = mortal_world.worker(WORKER_CONCURRENCY="3").until_ready()
    ids = mortal_world.orders(6, "a fox [sim:latency=1]")
    for request_id in ids[:3]:
        mortal_world.until_state(request_id, RequestState.SUBMITTED)
    mortal_world.redis.config_set("maxmemory", "1mb")
    mortal_world.until_ended(ids)
    with pytest.raises(OutOfMemoryError):
        mortal_world.redis.set("imagebot:test", "more")
    mortal_world.assert_each_done_once(ids)
    assert [mortal_world.redis.exists(f"rq:job:{request_id}") for request_id in ids] == [0] * 6
    assert worker.stop() == 0


def test_a_bug_in_a_beat_is_told_and_not_taken_for_an_outage(
    mortal_redis: RedisServer, mortal_world: Harness
) -> None:
    worker = mortal_world.worker().until_ready()
    mortal_world.redis.set(redis_keys.leases(queues.QUEUE_LOW), "not what it should be")
    try:
        worker.until_logged("a beat failed")
        worker.until_logged("WRONGTYPE")
    finally:
        mortal_world.redis.delete(redis_keys.leases(queues.QUEUE_LOW))


def test_a_bug_in_rqs_records_is_told_and_not_taken_for_an_outage(
    mortal_redis: RedisServer, mortal_world: Harness
) -> None:
    worker = mortal_world.worker().until_ready()
    mortal_world.redis.set(f"rq:worker:{worker.name}", "not what it should be")
    mortal_world.order()  # the worker is busy, and RQ is to know it
    worker.until_logged("RQ's records could not be kept")


def redis_answers(harness: Harness) -> bool:
    try:
        return bool(harness.redis.ping())
    except RedisConnectionError:
        return False


def test_nothing_is_lost_or_done_twice_when_everything_dies_in_turn(stack: Stack) -> None:
    """Workers killed and restarted, all at once too; Redis killed; each comes back as its supervisor sees fit."""
    harness = Harness(stack.queue_url, stack.fal_url, stack.directory)
    print(f"logs: {stack.directory}/logs")
    ids = harness.orders(30, "a fox [sim:latency=2]")
    wait_until(lambda: all(harness.events(request_id) for request_id in ids), "fal has all, and we know it")
    stack.kill("imageworker@1")
    ids += harness.orders(10, "another fox [sim:latency=2]")
    stack.kill("redis-queue")
    wait_until(lambda: redis_answers(harness), "Redis is back")
    ids += harness.orders(10, "a third fox [sim:latency=2]")
    for name in stack.worker_names:
        stack.kill(name, signal.SIGTERM)
    ids += harness.orders(10, "a fourth fox [sim:latency=2]")
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
