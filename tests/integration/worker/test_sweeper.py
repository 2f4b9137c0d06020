"""What a bug or a hand left behind is healed, and counted; what crashes leave behind needs no healing."""

import time

import pytest
from rq.job import JobStatus

from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.requests import RequestState
from app.worker.sweeper import ENDED, FORGOTTEN, HEALS_MAX, REQUEUED
from tests.integration.worker.harness import Harness
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=60]"


def healed(harness: Harness) -> dict[str, int]:
    """The counters of what was healed that are not 0."""
    counters = harness.redis.hgetall(redis_keys.COUNTERS)
    return {str(name): int(count) for name, count in counters.items() if str(name).startswith("healed")}


def until_healed(harness: Harness, **counts: int) -> None:
    wait_until(lambda: healed(harness) == counts, f"{counts}")


def assert_nothing_is_open(harness: Harness) -> None:
    assert [harness.redis.zcard(key) for key in (redis_keys.OPEN_REQUESTS, redis_keys.SUSPECTS)] == [0, 0]
    assert harness.redis.zcard(redis_keys.open_requests(7)) == 0
    harness.assert_nothing_left()


def test_an_emptied_queue_is_filled_again(harness: Harness) -> None:
    ids = harness.orders(3)
    harness.run_rq("empty", "img_queue")
    assert not harness.redis.keys("rq:job:*")
    harness.worker()
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert healed(harness) == {REQUEUED: 3}
    assert_nothing_is_open(harness)


def test_what_a_bot_died_before_it_queued_is_queued_and_no_sign_of_a_bug(harness: Harness) -> None:
    ids = [harness.order(f"{number} a fox [sim:latency=0.3]", enqueue=False) for number in range(3)]
    harness.worker()
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert healed(harness) == {}
    assert_nothing_is_open(harness)


def test_a_job_whose_hash_is_gone_is_made_anew(harness: Harness) -> None:
    request = harness.order()
    harness.redis.delete(f"rq:job:{request}")
    harness.worker()
    harness.until_ended([request])
    harness.assert_each_done_once([request])
    assert healed(harness) == {REQUEUED: 1}


def test_a_job_that_rq_takes_for_ended_goes_on_with_the_request_that_fal_has(harness: Harness) -> None:
    request = harness.order(prompt="a fox [sim:latency=3]")
    harness.worker()
    harness.until_state(request, RequestState.SUBMITTED)
    job = harness.job(request)
    harness.redis.delete(redis_keys.leases(queues.QUEUE), f"rq:wip:{queues.QUEUE}")
    job.set_status(JobStatus.FAILED)
    until_healed(harness, **{REQUEUED: 1})
    harness.until_ended([request])
    assert harness.events(request) == ["started", "done"]
    assert harness.counts()["submits"] == 1


def test_what_is_in_a_lease_or_a_schedule_is_nobody_s_to_heal(harness: Harness) -> None:
    running = harness.order(SLOW)
    harness.worker()
    harness.until_state(running, RequestState.SUBMITTED)
    scheduled = harness.order(enqueue=False)
    harness.redis.zadd(f"rq:scheduled:{queues.QUEUE}", {scheduled: time.time() + 3600})
    left = harness.order(enqueue=False)  # when it is queued the others would have been healed, too
    harness.until_state(left, RequestState.DONE)
    assert healed(harness) == {}
    assert harness.state(running) is RequestState.SUBMITTED
    assert harness.state(scheduled) is RequestState.QUEUED


def test_what_is_not_in_its_queue_yet_is_not_healed_at_first_sight(harness: Harness) -> None:
    """The bot is just between its record and its job."""
    harness.worker(TEST_HEAL_AFTER="3600")
    request = harness.order(enqueue=False)
    wait_until(lambda: harness.redis.zcard(redis_keys.SUSPECTS) == 1, "a sweep has seen it")
    assert queues.enqueue(harness.rq, request)
    harness.until_ended([request])
    harness.assert_each_done_once([request])
    assert healed(harness) == {}


def test_what_is_not_healed_by_that_is_ended_with_a_sentence(harness: Harness) -> None:
    request = harness.order()
    harness.redis.hset(redis_keys.request(request), "heals", HEALS_MAX)
    harness.run_rq("empty", "img_queue")
    harness.worker()
    harness.until_ended([request])
    assert harness.record(request).reason is FailureReason.INTERNAL
    assert harness.events(request) == ["failed"]
    assert healed(harness) == {ENDED: 1}
    assert_nothing_is_open(harness)


BROKEN: list[tuple[str, str]] = [("request", "{"), ("request", "[]"), ("fal", "[1]")]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_a_record_that_cannot_be_read_is_ended_and_its_person_told(harness: Harness, field: str, value: str) -> None:
    request = harness.order()
    harness.redis.hset(redis_keys.request(request), field, value)
    harness.worker()
    wait_until(lambda: harness.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    wait_until(lambda: not harness.leases(), "nobody works on it")
    assert harness.events(request) == ["failed"]
    record = harness.record(request)
    assert (record.request.chat_id, record.state) == (7, RequestState.FAILED)
    assert_nothing_is_open(harness)


def test_a_request_whose_state_is_none_begins_anew(harness: Harness) -> None:
    request = harness.order()
    harness.redis.hset(redis_keys.request(request), "state", "dancing")
    harness.worker()
    wait_until(lambda: harness.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    assert harness.events(request) == ["started", "done"]
    assert healed(harness) == {REQUEUED: 1}


def test_a_record_that_is_gone_is_forgotten(harness: Harness) -> None:
    request = harness.order()
    harness.redis.delete(redis_keys.request(request))
    harness.worker()
    until_healed(harness, **{FORGOTTEN: 1})
    assert harness.redis.zcard(redis_keys.OPEN_REQUESTS) == 0


def test_a_record_that_is_no_hash_holds_up_no_other_s_healing(harness: Harness) -> None:
    broken, other = harness.orders(2)
    harness.run_rq("empty", "img_queue")
    harness.redis.delete(redis_keys.request(broken))
    harness.redis.set(redis_keys.request(broken), "{")
    harness.worker()
    harness.until_ended([other])
    harness.assert_each_done_once([other])
    assert healed(harness) == {FORGOTTEN: 1, REQUEUED: 1}
    wait_until(lambda: not harness.redis.exists(redis_keys.open_requests(7)), "its place is free")


@pytest.mark.parametrize("lost", [("request",), ("request", "user"), ("request", "user", "id"), ("user",)])
def test_a_record_that_lacks_fields_ends_and_leaves_its_place(harness: Harness, lost: tuple[str, ...]) -> None:
    request = harness.order()
    harness.redis.hdel(redis_keys.request(request), *lost)
    harness.worker()
    wait_until(lambda: harness.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    wait_until(lambda: not harness.redis.exists(redis_keys.open_requests(7)), "its place is free")
    assert harness.events(request)[-1] == ("done" if lost == ("user",) else "failed")
    assert harness.redis.ttl(redis_keys.request(request)) > 0


def test_a_state_that_is_gone_costs_no_second_picture(harness: Harness) -> None:
    first = harness.worker()
    request = harness.order("a fox [sim:latency=3]")
    harness.until_state(request, RequestState.SUBMITTED)
    first.kill()
    harness.redis.hdel(redis_keys.request(request), "state")
    harness.run_rq("empty", "img_queue")
    harness.redis.delete(redis_keys.leases(queues.QUEUE), f"rq:wip:{queues.QUEUE}")
    harness.worker()
    until_healed(harness, **{REQUEUED: 1})
    harness.until_ended([request])
    assert harness.events(request) == ["started", "done"]
    assert harness.counts()["submits"] == 1


def test_a_lease_whose_execution_is_gone_keeps_nobody_waiting(harness: Harness) -> None:
    request = harness.order()
    harness.redis.lrem(f"rq:queue:{queues.QUEUE}", 0, request)
    harness.redis.zadd(redis_keys.leases(queues.QUEUE), {f"{request}:gone": 1, "nobody:gone": 1})
    harness.worker()
    harness.until_ended([request])
    harness.assert_each_done_once([request])
    assert healed(harness) == {REQUEUED: 1}
    assert_nothing_is_open(harness)


def test_what_the_release_before_left_is_known_too(harness: Harness) -> None:
    ids = harness.orders(2)
    harness.redis.delete(redis_keys.OPEN_REQUESTS)
    harness.job(ids[0]).cancel()  # as that release did; the request itself is open
    harness.run_rq("empty", "img_queue")
    harness.worker()
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert healed(harness) == {REQUEUED: 2}
    assert harness.redis.keys("rq:canceled:*") == []
    assert_nothing_is_open(harness)


def test_who_joined_a_request_that_is_gone_is_queued_alone(harness: Harness) -> None:
    leader = harness.order(SLOW, cache_key="same")
    follower = harness.order(SLOW, cache_key="same", enqueue=False)
    assert harness.record(follower).joined_to == leader
    queues.stop(harness.rq, leader)
    harness.redis.delete(redis_keys.request(leader), redis_keys.joined(leader))
    harness.worker()
    until_healed(harness, **{FORGOTTEN: 1, REQUEUED: 1})
    harness.until_state(follower, RequestState.SUBMITTED)
    assert not harness.record(follower).joined_to


def test_an_heir_of_whom_the_bot_never_heard_is_queued(harness: Harness) -> None:
    leader = harness.order(cache_key="same")
    heir = harness.order(cache_key="same", enqueue=False)
    assert harness.cancel(leader)
    queues.stop(harness.rq, leader)
    assert harness.events(heir) == ["queued"]  # and nobody reads it
    harness.worker()
    harness.until_ended([heir])
    assert harness.events(heir) == ["queued", "started", "done"]
    assert healed(harness) == {REQUEUED: 1}
    assert_nothing_is_open(harness)


def test_crashes_leave_nothing_to_heal(harness: Harness) -> None:
    ids = harness.orders(6, "a fox [sim:latency=15]")
    other = harness.worker("imageworker@2")
    for _ in range(3):
        worker = harness.worker().until_ready()
        harness.until_state(ids[0], RequestState.SUBMITTED)
        worker.kill()
    other.kill()
    harness.worker()
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert healed(harness) == {}


def test_a_cancelled_job_leaves_nothing_in_redis(harness: Harness) -> None:
    ids = harness.orders(20)
    for request in ids:
        assert harness.cancel(request)
        queues.stop(harness.rq, request)
    assert harness.redis.keys("rq:job:*") == harness.redis.keys("rq:canceled:*") == []
    assert_nothing_is_open(harness)
