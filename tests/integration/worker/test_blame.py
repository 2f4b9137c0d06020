"""Who is to blame for a worker's death: only a job that was at work in it."""

import signal
import uuid

from app.core.errors import FailureReason
from app.core.requests import RequestState
from app.worker.rq_adapter import CRASHES_MAX
from tests.integration.worker.harness import Harness
from tests.support.waiting import wait_until


def die_at(harness: Harness, *points: str) -> None:
    """Let one worker after the other die of SIGKILL at a point."""
    for point in points:
        mark = str(harness.directory / f"{uuid.uuid4().hex}.mark")
        assert harness.worker(TEST_KILL_AT=point, TEST_KILL_MARK=mark).exit_status() == -signal.SIGKILL


def test_a_request_survives_any_number_of_deaths_that_it_has_no_part_in(harness: Harness) -> None:
    request = harness.order()
    die_at(harness, "claimed", "claimed", "submitted", "kept", "kept", "stored")
    harness.worker()
    harness.until_ended([request])
    harness.assert_each_done_once([request])


def test_outages_in_which_the_records_of_executions_expire_accuse_nobody(harness: Harness) -> None:
    request = harness.order("a fox [sim:latency=60]")
    for _ in range(CRASHES_MAX + 1):
        worker = harness.worker().until_ready()
        wait_until(harness.leases, "the worker has the job")
        harness.until_state(request, RequestState.SUBMITTED)
        worker.kill(signal.SIGSTOP)  # it renews nothing, as nobody can without Redis
        harness.redis.delete(*harness.redis.keys("rq:execution:*"))
        worker.kill()
    finisher = harness.worker().until_ready()
    wait_until(harness.leases, "the worker has the job")
    assert harness.state(request) is RequestState.SUBMITTED
    assert harness.cancel(request)
    harness.until_ended([request])
    assert harness.events(request) == ["started", "cancelled"]
    assert "DeadlyJobError" not in harness.logs()
    assert finisher.stop() == 0


def test_a_picture_that_two_workers_died_of_is_given_up(harness: Harness) -> None:
    request = harness.order()
    die_at(harness, "decoding", "decoding")
    harness.worker()
    harness.until_ended([request])
    assert harness.record(request).state is RequestState.FAILED
    assert harness.record(request).reason is FailureReason.INTERNAL
    wait_until(lambda: harness.counts()["cancels"] == 1, "fal is told")
