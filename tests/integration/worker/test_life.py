"""A worker's life: start, work, death, and what the others make of it."""

import signal
import time
from functools import partial
from pathlib import Path

import pytest

from app.core import queues
from app.core.requests import RequestState
from tests.integration.worker.harness import Harness
from tests.integration.worker.process import POINTS
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=2.5]"


def test_a_request_becomes_a_picture(harness: Harness) -> None:
    worker = harness.worker(module="app.worker").until_ready()
    request_id = harness.order()
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.pictures(request_id) == [(256, 256)]
    assert harness.job(request_id).return_value() == {"state": "done"}
    assert harness.job(request_id).get_status() == "finished"
    assert worker.stop() == 0


def test_after_sigkill_another_goes_on_with_the_same_request_at_fal(harness: Harness) -> None:
    worker = harness.worker().until_ready()
    request_id = harness.order(SLOW)
    harness.until_state(request_id, RequestState.SUBMITTED)
    fal_request = harness.record(request_id).fal
    worker.kill()
    harness.worker("imageworker@2")
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.record(request_id).fal == fal_request


def test_after_sigkill_a_restarted_worker_takes_its_jobs_back_at_once(harness: Harness) -> None:
    harness.worker().until_ready()
    ids = harness.orders(3, SLOW)
    for request_id in ids:
        harness.until_state(request_id, RequestState.SUBMITTED)
    harness.workers[0].kill()
    harness.worker().until_logged("took back 3 jobs that this worker's last process left behind")
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)


@pytest.mark.parametrize("point", [point for point in POINTS if point != "answered"])
def test_killed_at_any_point_but_one_a_request_is_done_once(harness: Harness, tmp_path: Path, point: str) -> None:
    worker = harness.worker(TEST_KILL_AT=point, TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = harness.order()
    assert worker.exit_status() == -signal.SIGKILL
    harness.worker("imageworker@2")
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert harness.counts()["submits"] == 1


@pytest.mark.parametrize(
    ("listing", "repeats", "ending", "submits"),
    [("ended", "0", "done", 1), ("refused", "0", "failed", 1), ("refused", "1", "done", 2)],
)
def test_killed_between_fals_answer_and_its_record_a_request_is_found_at_fal_or_sent_again_only_if_allowed(
    harness: Harness, tmp_path: Path, listing: str, repeats: str, ending: str, submits: int
) -> None:
    harness.tell_fal("settings", listing=listing)
    worker = harness.worker(TEST_KILL_AT="answered", TEST_KILL_MARK=str(tmp_path / "killed"))
    request_id = harness.order()
    assert worker.exit_status() == -signal.SIGKILL
    harness.worker(FAL_SUBMIT_REPEATS=repeats)
    harness.until_ended([request_id])
    assert harness.events(request_id)[-1] == ending
    assert harness.counts()["submits"] == submits
    assert harness.redis.hgetall("imagebot:counters") == ({"submits_unknown": "1"} if listing == "refused" else {})


def test_sigterm_hands_the_jobs_back_to_the_head_and_another_goes_on(harness: Harness) -> None:
    worker = harness.worker(WORKER_CONCURRENCY="3").until_ready()
    ids = harness.orders(5, SLOW)
    for request_id in ids[:3]:
        harness.until_state(request_id, RequestState.SUBMITTED)
    assert worker.stop() == 0
    assert harness.redis.lrange("rq:queue:img_queue", 0, -1) == ids
    assert "STOPPING=1" in worker.told_systemd()
    assert harness.run_rq("info", "--raw", "--only-workers") == ""
    harness.worker("imageworker@2")
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert [harness.job(request_id).retries_left for request_id in ids] == [len(queues.RETRY_AFTER)] * 5


def test_jobs_that_are_about_to_end_may_end_before_a_stop(harness: Harness) -> None:
    worker = harness.worker(SHUTDOWN_GRACE="3").until_ready()
    request_id = harness.order("a fox [sim:latency=1]")
    harness.until_state(request_id, RequestState.SUBMITTED)
    assert worker.stop() == 0
    harness.assert_each_done_once([request_id])


def test_a_zombie_does_not_disturb_who_has_taken_its_jobs(harness: Harness) -> None:
    zombie = harness.worker().until_ready()
    ids = harness.orders(4, "a fox [sim:latency=3]")
    for request_id in ids:
        harness.until_state(request_id, RequestState.SUBMITTED)
    zombie.kill(signal.SIGSTOP)
    harness.worker("imageworker@2")
    wait_until(lambda: {harness.job(job_id).worker_name for job_id in ids} == {"imageworker@2"}, "the other has them")
    zombie.kill(signal.SIGCONT)
    harness.until_ended(ids)
    zombie.until_logged("lost")
    harness.assert_each_done_once(ids)
    assert zombie.stop() == 0
    harness.assert_each_done_once(ids)


@pytest.mark.parametrize("step", [14.0, 3600.0, -3600.0])
def test_a_step_of_redis_clock_moves_no_living_workers_jobs_and_a_dead_ones_all_the_same(
    harness: Harness, step: float
) -> None:
    first = harness.worker().until_ready()
    ids = harness.orders(4, "a very slow fox [sim:latency=15]")  # none ends while the clock is stepped
    for request_id in ids:
        harness.until_state(request_id, RequestState.SUBMITTED)
    second = harness.worker("imageworker@2").until_ready()
    for _ in range(5):
        left = set(harness.step_redis_clock(step).items())
        assert len(left) == 4
        wait_until(partial(lambda left: not left & set(harness.leases().items()), left), "all leases are renewed")
    assert "took back" not in second.log()
    harness.step_redis_clock(step)
    first.kill()
    second.until_logged("jobs of workers that are gone")
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert {harness.job(request_id).worker_name for request_id in ids} == {second.name}


def test_systemd_is_told_how_it_goes(harness: Harness) -> None:
    worker = harness.worker(WORKER_CONCURRENCY="2").until_ready()
    ids = harness.orders(5, "a fox [sim:latency=1]")
    wait_until(lambda: "STATUS=2/2 jobs, img_queue 3" in worker.told_systemd(), "the status")
    wait_until(lambda: "WATCHDOG=1" in worker.told_systemd(), "the watchdog's ping")
    harness.until_ended(ids)
    wait_until(lambda: worker.told_systemd()[-1] in {"STATUS=0/2 jobs", "WATCHDOG=1"}, "nothing is left")


def test_a_worker_that_hangs_does_not_ping_the_watchdog(harness: Harness) -> None:
    worker = harness.worker().until_ready()
    wait_until(lambda: "WATCHDOG=1" in worker.told_systemd(), "the watchdog's ping")
    worker.kill(signal.SIGSTOP)
    said = worker.told_systemd()
    harness.worker("imageworker@2").until_ready()
    assert worker.told_systemd() == said
    worker.kill(signal.SIGCONT)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"FAL_KEY": ""}, ["IMAGEBOT_FAL_KEY"]),
        (
            {"MODELS": '{"create": "fal-ai/unheard-of"}'},
            ["IMAGEBOT_MODELS", "fal-ai/unheard-of", "fal-ai/flux/schnell"],
        ),
        ({"MODELS": '{"create": "fal-ai/retoucher"}'}, ["IMAGEBOT_MODELS: create: 'fal-ai/retoucher' is not one of"]),
        ({"FAL_KEY": "", "WORKER_CONCURRENCY": "0"}, ["IMAGEBOT_FAL_KEY", "IMAGEBOT_WORKER_CONCURRENCY"]),
        ({"MEDIA_URL": "file:///does/not/exist"}, ["IMAGEBOT_MEDIA_URL"]),
    ],
)
def test_a_bad_setting_is_named_in_one_line(harness: Harness, settings: dict[str, str], told: list[str]) -> None:
    worker = harness.worker(module="app.worker", **settings)
    assert worker.exit_status() == 78
    [line] = worker.log().splitlines()
    assert all(part in line for part in told)


def test_a_worker_refuses_to_start_while_another_of_its_name_lives_and_takes_nothing_from_it(
    harness: Harness,
) -> None:
    first = harness.worker().until_ready()
    request_id = harness.order(SLOW)
    harness.until_state(request_id, RequestState.SUBMITTED)
    twin = harness.worker()
    assert twin.exit_status() == 78
    assert "a worker named imageworker@1 is alive on this machine" in twin.log()
    assert "took back" not in twin.log()
    harness.until_ended([request_id])
    harness.assert_each_done_once([request_id])
    assert first.stop() == 0


def test_one_on_another_machine_is_known_by_its_renewals_and_succeeded_without(harness: Harness) -> None:
    key = "imagebot:worker-name:imageworker@1"
    harness.redis.set(key, "another-machine 1 1", px=1500)
    late = harness.worker()
    wait_until(lambda: harness.redis.get(key) != "another-machine 1 1", "its claim lapses")
    late.until_ready()
    assert late.stop() == 0
    # A machine that is too busy for the farewell lets the claim lapse.
    assert not harness.redis.exists(key) or "no farewell to Redis" in late.log()

    harness.redis.set(key, "another-machine 1 1", px=10_000)
    twin = harness.worker()
    while twin.process.poll() is None:
        harness.redis.set(key, "another-machine 1 1", px=10_000)
        time.sleep(0.05)
    assert twin.exit_status() == 78
    assert "alive on another machine" in twin.log()
