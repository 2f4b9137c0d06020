"""Who is to blame for a worker's death: only a job that was at work in it."""

import signal
import uuid

from app.core.errors import FailureReason
from app.core.requests import RequestState
from app.worker.rq_adapter import CRASHES_MAX
from tests.integration.worker.world import World
from tests.support.waiting import wait_until


def die_at(world: World, *points: str) -> None:
    """Let one worker after the other die of SIGKILL at a point."""
    for point in points:
        mark = str(world.directory / f"{uuid.uuid4().hex}.mark")
        assert world.worker(TEST_KILL_AT=point, TEST_KILL_MARK=mark).exit_status() == -signal.SIGKILL


def test_a_request_survives_any_number_of_deaths_that_it_has_no_part_in(world: World) -> None:
    request = world.order()
    die_at(world, "claimed", "claimed", "submitted", "kept", "kept", "stored")
    world.worker()
    world.until_ended([request])
    world.assert_each_done_once([request])


def test_outages_in_which_the_records_of_executions_expire_accuse_nobody(world: World) -> None:
    request = world.order("a fox [sim:latency=60]")
    for _ in range(CRASHES_MAX + 1):
        worker = world.worker().until_ready()
        wait_until(world.leases, "the worker has the job")
        world.until_state(request, RequestState.SUBMITTED)
        worker.kill(signal.SIGSTOP)  # it renews nothing, as nobody can without Redis
        world.redis.delete(*world.redis.keys("rq:execution:*"))
        worker.kill()
    finisher = world.worker().until_ready()
    wait_until(world.leases, "the worker has the job")
    assert world.state(request) is RequestState.SUBMITTED
    assert world.cancel(request)
    world.until_ended([request])
    assert world.events(request) == ["started", "cancelled"]
    assert "DeadlyJobError" not in world.logs()
    assert finisher.stop() == 0


def test_a_picture_that_two_workers_died_of_is_given_up(world: World) -> None:
    request = world.order()
    die_at(world, "decoding", "decoding")
    world.worker()
    world.until_ended([request])
    assert world.record(request).state is RequestState.FAILED
    assert world.record(request).reason is FailureReason.INTERNAL
    wait_until(lambda: world.counts()["cancels"] == 1, "fal is told")
