"""Submits: whose outcome nobody was told, and those that a stop meets on their way."""

import signal
import time
from pathlib import Path

import pytest

from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.requests import RequestState
from tests.integration.worker.world import World
from tests.support.waiting import wait_until


@pytest.mark.parametrize("listing", ["ended", "all"])
def test_a_submit_whose_answer_is_lost_is_found_in_fals_list_and_goes_on(world: World, listing: str) -> None:
    world.tell_fal("settings", listing=listing)
    world.worker()
    world.fault("drop_answer", call="submit")
    request_id = world.order()
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])
    assert world.counts()["submits"] == 1
    assert not world.redis.exists(redis_keys.COUNTERS)


@pytest.mark.parametrize("status", [408, 500, 503, 522])
def test_one_that_fal_does_not_list_was_not_taken_and_is_sent_again(world: World, status: int) -> None:
    world.worker()
    world.fault("status", call="submit", status=status)
    request_id = world.order()
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])
    assert world.counts()["submits"] == 2


def test_of_two_equal_submits_each_finds_its_own(world: World) -> None:
    world.worker()
    world.fault("drop_answer", times=2, call="submit")
    ids = [world.order("the same fox [sim:latency=0.3]") for _ in range(3)]
    world.until_ended(ids)
    assert [world.events(request_id) for request_id in ids] == [["started", "done"]] * 3
    assert world.counts()["billed"] == 3
    known = {record.fal.request_id for request_id in ids if (record := world.record(request_id)).fal}
    assert len(known) == 3


def test_a_list_that_is_not_to_be_had_now_is_waited_for(world: World) -> None:
    world.worker()
    world.fault("drop_answer", call="submit")
    world.fault("status", times=6, call="listing", status=503)
    request_id = world.order()
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])


@pytest.mark.parametrize(("repeats", "events", "billed"), [("0", ["failed"], 1), ("1", ["started", "done"], 2)])
def test_without_a_list_it_is_not_repeated_unless_allowed(
    world: World, repeats: str, events: list[str], billed: int
) -> None:
    world.tell_fal("settings", listing="refused")
    worker = world.worker(FAL_SUBMIT_REPEATS=repeats)
    world.fault("drop_answer", call="submit")
    request_id = world.order()
    world.until_ended([request_id])
    assert world.events(request_id) == events
    if events == ["failed"]:
        assert world.record(request_id).reason is FailureReason.OUTCOME_UNKNOWN
    wait_until(lambda: world.counts()["billed"] == billed, f"{billed} billed")
    assert world.redis.hget(redis_keys.COUNTERS, "submits_unknown") == "1"
    assert "nobody knows whether submit 1 reached fal" in worker.log()


def test_a_late_answer_of_another_process_is_waited_for(world: World) -> None:
    """Whoever takes a job over during its submit does not submit it again at once, nor gives it up: it waits."""
    world.tell_fal("settings", listing="refused")
    first = world.worker(TEST_SUBMIT_ANSWER_WAIT="30")
    world.fault("delay_answer", call="submit", delay_s=3)
    request_id = world.order()
    wait_until(lambda: world.counts()["jobs"] == 1, "fal has the request")
    world.give_away(request_id)
    world.worker("imageworker@2", TEST_SUBMIT_ANSWER_WAIT="30")
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])
    assert world.counts()["submits"] == 1
    assert first.stop() == 0


def test_a_stop_waits_for_the_answers_of_submits_and_hands_back_all_else_at_once(world: World) -> None:
    worker = world.worker(WORKER_CONCURRENCY="2")
    polled = world.order("a slow fox [sim:latency=8]")
    world.until_state(polled, RequestState.SUBMITTED)
    world.fault("delay_answer", call="submit", delay_s=5)
    slow = world.order("a fox [sim:latency=8]")
    wait_until(lambda: world.counts()["jobs"] == 2, "fal has the second request")
    worker.kill(15)
    wait_until(lambda: world.redis.lrange("rq:queue:img_queue", 0, -1) == [polled], "the first goes back")
    assert world.state(slow) is RequestState.SUBMITTING
    assert worker.exit_status() == 0
    assert world.state(slow) is RequestState.SUBMITTED
    world.worker("imageworker@2")
    world.until_ended([polled, slow])
    world.assert_each_done_once([polled, slow])
    assert world.counts()["submits"] == 2


def test_no_submit_begins_once_the_worker_stops(world: World) -> None:
    """Submits that wait for their turn under the cap on requests are many; the stop finds them waiting."""
    worker = world.worker(FAL_REQUESTS_PER_SECOND="2", SHUTDOWN_GRACE="4")
    ids = world.orders(12, "a fox [sim:latency=30]")
    wait_until(lambda: world.counts()["submits"] >= 1, "the first is submitted")
    worker.kill(15)
    wait_until(lambda: "STOPPING=1" in worker.told_systemd(), "it stops")
    begun = world.counts()["submits"]
    assert worker.exit_status() == 0
    assert world.counts()["submits"] <= begun + 1  # one may have been on its way between the two
    assert sorted(world.redis.lrange("rq:queue:img_queue", 0, -1)) == sorted(ids)


@pytest.mark.parametrize("taken", [True, False])
def test_a_clock_that_was_an_hour_ahead_at_a_submit_keeps_nobody_waiting(
    world: World, tmp_path: Path, taken: bool
) -> None:
    if not taken:
        world.fault("status", call="submit", status=503)
    worker = world.worker(TEST_KILL_AT="answered" if taken else "begun", TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = world.order()
    worker.exit_status()
    world.redis.hset(redis_keys.request(request_id), "submitting_at", time.time() + 3600)
    world.worker("imageworker@2")
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])


def test_a_clock_that_has_stepped_an_hour_ahead_since_a_submit_makes_nobody_submit_again(
    world: World, tmp_path: Path
) -> None:
    """fal lists a request only once it has ended: one that still runs is waited for."""
    world.tell_fal("settings", listing="ended")
    worker = world.worker(TEST_KILL_AT="answered", TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = world.order("a fox [sim:latency=4]")
    worker.exit_status()
    world.redis.hset(redis_keys.request(request_id), "submitting_at", time.time() - 3600)
    world.worker("imageworker@2", TEST_ABSENT_AFTER="10")
    world.until_ended([request_id])
    world.assert_each_done_once([request_id])
    assert world.counts()["submits"] == 1


def test_who_was_stopped_before_asking_fal_does_not_ask_once_another_has_the_job(world: World) -> None:
    zombie = world.worker(TEST_FREEZE_AT_SUBMIT="1")
    request_id = world.order("a fox [sim:latency=4]")
    world.until_state(request_id, RequestState.SUBMITTING)
    world.worker("imageworker@2")
    world.until_state(request_id, RequestState.SUBMITTED)
    zombie.kill(signal.SIGCONT)
    zombie.until_logged(f"job {request_id}: lost")
    world.until_ended([request_id])
    assert zombie.stop() == 0
    world.assert_each_done_once([request_id])
    assert world.counts()["submits"] == 1
