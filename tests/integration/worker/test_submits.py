"""Submits: whose outcome nobody was told, and those that a stop meets on their way."""

import signal
import time
from pathlib import Path

import pytest

from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.requests import RequestState
from tests.integration.worker.harness import Harness
from tests.support.waiting import wait_until


@pytest.mark.parametrize("listing", ["ended", "all"])
def test_a_submit_whose_answer_is_lost_is_found_in_fals_list_and_goes_on(harness: Harness, listing: str) -> None:
    harness.tell_fal("settings", listing=listing)
    harness.worker()
    harness.fault("drop_answer", call="submit")
    request_id = harness.order()
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 1
    assert not harness.redis.exists(redis_keys.COUNTERS)


@pytest.mark.parametrize("status", [408, 500, 503, 522])
def test_one_that_fal_does_not_list_was_not_taken_and_is_sent_again(harness: Harness, status: int) -> None:
    harness.worker()
    harness.fault("status", call="submit", status=status)
    request_id = harness.order()
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 2


def test_of_two_equal_submits_each_finds_its_own(harness: Harness) -> None:
    harness.worker()
    harness.fault("drop_answer", times=2, call="submit")
    ids = [harness.order("the same fox [sim:latency=0.3]") for _ in range(3)]
    harness.until_ended(ids)
    assert [harness.events(request_id) for request_id in ids] == [["started", "done"]] * 3
    assert harness.counts()["billed"] == 3
    known = {record.fal.request_id for request_id in ids if (record := harness.record(request_id)).fal}
    assert len(known) == 3


def test_a_list_that_is_not_to_be_had_now_is_waited_for(harness: Harness) -> None:
    harness.worker()
    harness.fault("drop_answer", call="submit")
    harness.fault("status", times=6, call="listing", status=503)
    request_id = harness.order()
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])


@pytest.mark.parametrize(("repeats", "events", "billed"), [("0", ["failed"], 1), ("1", ["started", "done"], 2)])
def test_without_a_list_it_is_not_repeated_unless_allowed(
    harness: Harness, repeats: str, events: list[str], billed: int
) -> None:
    harness.tell_fal("settings", listing="refused")
    worker = harness.worker(FAL_SUBMIT_REPEATS=repeats)
    harness.fault("drop_answer", call="submit")
    request_id = harness.order()
    harness.until_ended([request_id])
    assert harness.events(request_id) == events
    if events == ["failed"]:
        assert harness.record(request_id).reason is FailureReason.OUTCOME_UNKNOWN
    wait_until(lambda: harness.counts()["billed"] == billed, f"{billed} billed")
    assert harness.redis.hget(redis_keys.COUNTERS, "submits_unknown") == "1"
    assert "nobody knows whether submit 1 reached fal" in worker.log()


def test_a_late_answer_of_another_process_is_waited_for(harness: Harness) -> None:
    """Whoever takes a job over during its submit does not submit it again at once, nor gives it up: it waits."""
    harness.tell_fal("settings", listing="refused")
    first = harness.worker(TEST_SUBMIT_ANSWER_WAIT="30")
    harness.fault("delay_answer", call="submit", delay_s=3)
    request_id = harness.order()
    wait_until(lambda: harness.counts()["jobs"] == 1, "fal has the request")
    harness.give_away(request_id)
    harness.worker("imageworker@2", TEST_SUBMIT_ANSWER_WAIT="30")
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 1
    assert first.stop() == 0


def test_a_stop_waits_for_the_answers_of_submits_and_hands_back_all_else_at_once(harness: Harness) -> None:
    worker = harness.worker(WORKER_CONCURRENCY="2")
    polled = harness.order("a slow fox [sim:latency=8]")
    harness.until_state(polled, RequestState.SUBMITTED)
    harness.fault("delay_answer", call="submit", delay_s=5)
    slow = harness.order("a fox [sim:latency=8]")
    wait_until(lambda: harness.counts()["jobs"] == 2, "fal has the second request")
    worker.kill(15)
    wait_until(lambda: harness.redis.lrange("rq:queue:img_queue", 0, -1) == [polled], "the first goes back")
    assert harness.state(slow) is RequestState.SUBMITTING
    assert worker.exit_status() == 0
    assert harness.state(slow) is RequestState.SUBMITTED
    harness.worker("imageworker@2")
    harness.until_ended([polled, slow])
    harness.assert_each_done_once([polled, slow])
    assert harness.counts()["submits"] == 2


def test_no_submit_begins_once_the_worker_stops(harness: Harness) -> None:
    """Submits that wait for their turn under the cap on requests are many; the stop finds them waiting."""
    worker = harness.worker(FAL_REQUESTS_PER_SECOND="2", SHUTDOWN_GRACE="4")
    ids = harness.orders(12, "a fox [sim:latency=30]")
    wait_until(lambda: harness.counts()["submits"] >= 1, "the first is submitted")
    worker.kill(15)
    wait_until(lambda: "STOPPING=1" in worker.told_systemd(), "it stops")
    begun = harness.counts()["submits"]
    assert worker.exit_status() == 0
    assert harness.counts()["submits"] <= begun + 1  # one may have been on its way between the two
    assert sorted(harness.redis.lrange("rq:queue:img_queue", 0, -1)) == sorted(ids)


@pytest.mark.parametrize("taken", [True, False])
def test_a_clock_that_was_an_hour_ahead_at_a_submit_keeps_nobody_waiting(
    harness: Harness, tmp_path: Path, taken: bool
) -> None:
    if not taken:
        harness.fault("status", call="submit", status=503)
    worker = harness.worker(TEST_KILL_AT="answered" if taken else "begun", TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = harness.order()
    worker.exit_status()
    harness.redis.hset(redis_keys.request(request_id), "submitting_at", time.time() + 3600)
    harness.worker("imageworker@2")
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])


def test_a_clock_that_has_stepped_an_hour_ahead_since_a_submit_makes_nobody_submit_again(
    harness: Harness, tmp_path: Path
) -> None:
    """fal lists a request only once it has ended: one that still runs is waited for."""
    harness.tell_fal("settings", listing="ended")
    worker = harness.worker(TEST_KILL_AT="answered", TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = harness.order("a fox [sim:latency=4]")
    worker.exit_status()
    harness.redis.hset(redis_keys.request(request_id), "submitting_at", time.time() - 3600)
    harness.worker("imageworker@2", TEST_ABSENT_AFTER="10")
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 1


def test_who_was_stopped_before_asking_fal_does_not_ask_once_another_has_the_job(harness: Harness) -> None:
    zombie = harness.worker(TEST_FREEZE_AT_SUBMIT="1")
    request_id = harness.order("a fox [sim:latency=4]")
    harness.until_state(request_id, RequestState.SUBMITTING)
    harness.worker("imageworker@2")
    harness.until_state(request_id, RequestState.SUBMITTED)
    zombie.kill(signal.SIGCONT)
    zombie.until_logged(f"job {request_id}: lost")
    harness.until_ended([request_id])
    assert zombie.stop() == 0
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 1
