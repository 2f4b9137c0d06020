"""Trouble at fal, or on the way from it to the media store: what is paid for is waited for, what is not is kept."""

import shutil
import time

import pytest

from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.pause import TTL
from app.core.requests import RequestState
from tests.integration.worker.harness import FAL_KEY, Harness
from tests.support.waiting import wait_until

MANY = 8
"""Failures of a call in a row: more than any number of retries of a call that is that may be given up."""


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("status", 503),
        ("status", 522),
        ("status", 418),
        ("status", 403),
        ("result", 522),
        ("result", 503),
        ("file", 522),
    ],
)
def test_a_paid_picture_outlasts_an_outage_of_what_leads_to_it(served: Harness, call: str, status: int) -> None:
    served.fault("status", times=MANY, call=call, status=status)
    request_id = served.order()
    served.until_ended([request_id])
    served.assert_each_done_once([request_id])
    assert served.counts()["by_status"][call][str(status)] == MANY


@pytest.mark.parametrize(("call", "status"), [("status", 404), ("result", 404), ("file", 403), ("file", 404)])
def test_what_is_gone_it_seems_is_asked_for_again(served: Harness, call: str, status: int) -> None:
    served.fault("status", times=2, call=call, status=status)
    request_id = served.order()
    served.until_ended([request_id])
    served.assert_each_done_once([request_id])


def test_what_is_gone_for_long_fails_and_is_cancelled_at_fal(served: Harness) -> None:
    served.fault("status", times=-1, call="status", status=404)
    request_id = served.order("a fox [sim:latency=60]")
    served.until_ended([request_id])
    assert served.record(request_id).reason is FailureReason.PROVIDER_DOWN
    wait_until(lambda: served.counts()["cancels"] == 1, "fal is told")
    assert served.counts()["billed"] == 0


def test_a_media_store_that_takes_nothing_is_waited_for(served: Harness) -> None:
    results = served.media / "results"
    shutil.rmtree(results, ignore_errors=True)
    results.write_text("a file where a directory is to be")
    request_id = served.order()
    wait_until(lambda: "media store" in served.logs(), "the trouble is told")
    assert served.state(request_id) is RequestState.SUBMITTED
    results.unlink()
    served.until_ended([request_id])
    served.assert_each_done_once([request_id])


def test_a_deadline_ends_what_fal_never_ends_and_is_cancelled_there(harness: Harness) -> None:
    harness.worker(REQUEST_DEADLINE="1")
    request_id = harness.order("a fox [sim:never]")
    harness.until_ended([request_id])
    assert harness.events(request_id) == ["started", "failed"]
    assert harness.record(request_id).reason is FailureReason.TIMED_OUT
    wait_until(lambda: harness.counts()["cancels"] == 1, "fal is told")


def test_the_deadline_stands_in_the_record_so_another_worker_keeps_to_it(harness: Harness) -> None:
    first = harness.worker(REQUEST_DEADLINE="1")
    request_id = harness.order("a fox [sim:never]")
    harness.until_state(request_id, RequestState.SUBMITTED)
    first.kill()
    harness.worker(REQUEST_DEADLINE="3600")
    harness.until_ended([request_id])
    assert harness.record(request_id).reason is FailureReason.TIMED_OUT


def test_a_deadline_noted_by_a_clock_that_was_ahead_leaves_no_more_than_the_usual_time(harness: Harness) -> None:
    first = harness.worker()
    request_id = harness.order("a fox [sim:never]")
    harness.until_state(request_id, RequestState.SUBMITTED)
    first.kill()
    harness.redis.hset(redis_keys.request(request_id), "deadline", time.time() + 7200)
    harness.worker(REQUEST_DEADLINE="1")
    harness.until_ended([request_id])
    assert harness.record(request_id).reason is FailureReason.TIMED_OUT


def let_probe(harness: Harness) -> None:
    """Let so much of the pause pass that the next job may probe."""
    harness.redis.expire(redis_keys.PAUSED, TTL // 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"balance": "exhausted"}, "Exhausted balance"),
        ({"lock": "TOP_UP"}, "User is locked. Reason: TOP_UP."),
        ({"key": "another:key"}, "No user found for Key ID and Secret"),
    ],
)
def test_trouble_of_the_account_keeps_every_request_and_ends_by_itself(
    harness: Harness, settings: dict[str, str], said: str
) -> None:
    worker = harness.worker(WORKER_CONCURRENCY="3")
    harness.tell_fal("settings", **settings)
    ids = harness.orders(8)
    wait_until(lambda: harness.redis.exists(redis_keys.PAUSED), "the pause")
    wait_until(lambda: set(harness.redis.lrange("rq:queue:img_queue", 0, -1)) == set(ids), "all wait")
    assert {harness.state(request_id) for request_id in ids} == {RequestState.QUEUED}
    assert "account" in str(harness.redis.get(redis_keys.PAUSED))
    assert said in str(harness.redis.get(redis_keys.PAUSED))
    submits, since = harness.counts()["submits"], harness.pause().since
    let_probe(harness)
    wait_until(lambda: harness.counts()["submits"] == submits + 1, "one probes")
    wait_until(lambda: harness.redis.llen("rq:queue:img_queue") == len(ids), "it goes back")
    assert harness.pause().since == since
    harness.tell_fal("settings", balance="ok", lock="", key=FAL_KEY)
    let_probe(harness)
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert not harness.redis.exists(redis_keys.PAUSED)
    assert worker.log().count("no new jobs for now") == 1
    assert "simulated:key" not in worker.log()


def test_an_outage_of_minutes_keeps_new_requests(harness: Harness) -> None:
    harness.worker(FAL_RETRIES="1", WORKER_CONCURRENCY="2")
    harness.fault("drop_request", times=-1, call="token")
    harness.fault("status", times=-1, call="submit", status=429)
    ids = harness.orders(5)
    wait_until(lambda: harness.redis.exists(redis_keys.PAUSED), "the pause")
    wait_until(lambda: set(harness.redis.lrange("rq:queue:img_queue", 0, -1)) == set(ids), "all wait")
    assert "provider-down" in str(harness.redis.get(redis_keys.PAUSED))
    harness.tell_fal("reset")
    let_probe(harness)
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)


def test_a_request_cancelled_after_it_was_handed_back_is_cancelled_at_fal(harness: Harness) -> None:
    first = harness.worker()
    request_id = harness.order("a fox [sim:latency=60]")
    harness.until_state(request_id, RequestState.SUBMITTED)
    assert first.stop() == 0
    assert harness.cancel(request_id)
    queues.stop(harness.rq, request_id)
    harness.worker("imageworker@2")
    wait_until(lambda: harness.counts()["cancels"] == 1, "fal is told")
    harness.until_ended([request_id])
    assert harness.counts()["billed"] == 0
    harness.assert_nothing_left()


def test_a_cancel_whose_command_nobody_heard_frees_the_slot_all_the_same(harness: Harness) -> None:
    harness.worker(WORKER_CONCURRENCY="1")
    request_id = harness.order("a fox [sim:latency=60]")
    harness.until_state(request_id, RequestState.SUBMITTED)
    assert harness.cancel(request_id)
    other = harness.order()
    harness.until_ended([other])
    assert harness.counts()["cancels"] == 1
    assert harness.events(request_id) == ["started", "cancelled"]
