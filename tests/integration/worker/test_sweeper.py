"""What a bug or a hand left behind is healed, and counted; what crashes leave behind needs no healing."""

import time

import pytest
from rq.job import JobStatus

from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.requests import RequestState
from app.worker.sweeper import ENDED, FORGOTTEN, HEALS_MAX, REQUEUED
from tests.integration.worker.world import World
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=60]"


def healed(world: World) -> dict[str, int]:
    """The counters of what was healed that are not 0."""
    counters = world.redis.hgetall(redis_keys.COUNTERS)
    return {str(name): int(count) for name, count in counters.items() if str(name).startswith("healed")}


def until_healed(world: World, **counts: int) -> None:
    wait_until(lambda: healed(world) == counts, f"{counts}")


def assert_nothing_is_open(world: World) -> None:
    assert [world.redis.zcard(key) for key in (redis_keys.OPEN_REQUESTS, redis_keys.SUSPECTS)] == [0, 0]
    assert world.redis.zcard(redis_keys.open_requests(7)) == 0
    world.assert_nothing_left()


def test_an_emptied_queue_is_filled_again(world: World) -> None:
    ids = world.orders(3)
    world.run_rq("empty", "img_queue")
    assert not world.redis.keys("rq:job:*")
    world.worker()
    world.until_ended(ids)
    world.assert_each_done_once(ids)
    assert healed(world) == {REQUEUED: 3}
    assert_nothing_is_open(world)


def test_what_a_bot_died_before_it_queued_is_queued_and_no_sign_of_a_bug(world: World) -> None:
    ids = [world.order(f"{number} a fox [sim:latency=0.3]", enqueue=False) for number in range(3)]
    world.worker()
    world.until_ended(ids)
    world.assert_each_done_once(ids)
    assert healed(world) == {}
    assert_nothing_is_open(world)


def test_a_job_whose_hash_is_gone_is_made_anew(world: World) -> None:
    request = world.order()
    world.redis.delete(f"rq:job:{request}")
    world.worker()
    world.until_ended([request])
    world.assert_each_done_once([request])
    assert healed(world) == {REQUEUED: 1}


def test_a_job_that_rq_takes_for_ended_goes_on_with_the_request_that_fal_has(world: World) -> None:
    request = world.order(prompt="a fox [sim:latency=3]")
    world.worker()
    world.until_state(request, RequestState.SUBMITTED)
    job = world.job(request)
    world.redis.delete(redis_keys.leases(queues.QUEUE), f"rq:wip:{queues.QUEUE}")
    job.set_status(JobStatus.FAILED)
    until_healed(world, **{REQUEUED: 1})
    world.until_ended([request])
    assert world.events(request) == ["started", "done"]
    assert world.counts()["submits"] == 1


def test_what_is_in_a_lease_or_a_schedule_is_nobody_s_to_heal(world: World) -> None:
    running = world.order(SLOW)
    world.worker()
    world.until_state(running, RequestState.SUBMITTED)
    scheduled = world.order(enqueue=False)
    world.redis.zadd(f"rq:scheduled:{queues.QUEUE}", {scheduled: time.time() + 3600})
    left = world.order(enqueue=False)  # when it is queued the others would have been healed, too
    world.until_state(left, RequestState.DONE)
    assert healed(world) == {}
    assert world.state(running) is RequestState.SUBMITTED
    assert world.state(scheduled) is RequestState.QUEUED


def test_what_is_not_in_its_queue_yet_is_not_healed_at_first_sight(world: World) -> None:
    """The bot is just between its record and its job."""
    world.worker(TEST_HEAL_AFTER="3600")
    request = world.order(enqueue=False)
    wait_until(lambda: world.redis.zcard(redis_keys.SUSPECTS) == 1, "a sweep has seen it")
    assert queues.enqueue(world.rq, request)
    world.until_ended([request])
    world.assert_each_done_once([request])
    assert healed(world) == {}


def test_what_is_not_healed_by_that_is_ended_with_a_sentence(world: World) -> None:
    request = world.order()
    world.redis.hset(redis_keys.request(request), "heals", HEALS_MAX)
    world.run_rq("empty", "img_queue")
    world.worker()
    world.until_ended([request])
    assert world.record(request).reason is FailureReason.INTERNAL
    assert world.events(request) == ["failed"]
    assert healed(world) == {ENDED: 1}
    assert_nothing_is_open(world)


BROKEN: list[tuple[str, str]] = [("request", "{"), ("request", "[]"), ("fal", "[1]")]


@pytest.mark.parametrize(("field", "value"), BROKEN)
def test_a_record_that_cannot_be_read_is_ended_and_its_person_told(world: World, field: str, value: str) -> None:
    request = world.order()
    world.redis.hset(redis_keys.request(request), field, value)
    world.worker()
    wait_until(lambda: world.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    wait_until(lambda: not world.leases(), "nobody works on it")
    assert world.events(request) == ["failed"]
    record = world.record(request)
    assert (record.request.chat_id, record.state) == (7, RequestState.FAILED)
    assert_nothing_is_open(world)


def test_a_request_whose_state_is_none_begins_anew(world: World) -> None:
    request = world.order()
    world.redis.hset(redis_keys.request(request), "state", "dancing")
    world.worker()
    wait_until(lambda: world.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    assert world.events(request) == ["started", "done"]
    assert healed(world) == {REQUEUED: 1}


def test_a_record_that_is_gone_is_forgotten(world: World) -> None:
    request = world.order()
    world.redis.delete(redis_keys.request(request))
    world.worker()
    until_healed(world, **{FORGOTTEN: 1})
    assert world.redis.zcard(redis_keys.OPEN_REQUESTS) == 0


def test_a_record_that_is_no_hash_holds_up_no_other_s_healing(world: World) -> None:
    broken, other = world.orders(2)
    world.run_rq("empty", "img_queue")
    world.redis.delete(redis_keys.request(broken))
    world.redis.set(redis_keys.request(broken), "{")
    world.worker()
    world.until_ended([other])
    world.assert_each_done_once([other])
    assert healed(world) == {FORGOTTEN: 1, REQUEUED: 1}
    wait_until(lambda: not world.redis.exists(redis_keys.open_requests(7)), "its place is free")


@pytest.mark.parametrize("lost", [("request",), ("request", "user"), ("request", "user", "id"), ("user",)])
def test_a_record_that_lacks_fields_ends_and_leaves_its_place(world: World, lost: tuple[str, ...]) -> None:
    request = world.order()
    world.redis.hdel(redis_keys.request(request), *lost)
    world.worker()
    wait_until(lambda: world.redis.zcard(redis_keys.OPEN_REQUESTS) == 0, "it has ended")
    wait_until(lambda: not world.redis.exists(redis_keys.open_requests(7)), "its place is free")
    assert world.events(request)[-1] == ("done" if lost == ("user",) else "failed")
    assert world.redis.ttl(redis_keys.request(request)) > 0


def test_a_state_that_is_gone_costs_no_second_picture(world: World) -> None:
    first = world.worker()
    request = world.order("a fox [sim:latency=3]")
    world.until_state(request, RequestState.SUBMITTED)
    first.kill()
    world.redis.hdel(redis_keys.request(request), "state")
    world.run_rq("empty", "img_queue")
    world.redis.delete(redis_keys.leases(queues.QUEUE), f"rq:wip:{queues.QUEUE}")
    world.worker()
    until_healed(world, **{REQUEUED: 1})
    world.until_ended([request])
    assert world.events(request) == ["started", "done"]
    assert world.counts()["submits"] == 1


def test_a_lease_whose_execution_is_gone_keeps_nobody_waiting(world: World) -> None:
    request = world.order()
    world.redis.lrem(f"rq:queue:{queues.QUEUE}", 0, request)
    world.redis.zadd(redis_keys.leases(queues.QUEUE), {f"{request}:gone": 1, "nobody:gone": 1})
    world.worker()
    world.until_ended([request])
    world.assert_each_done_once([request])
    assert healed(world) == {REQUEUED: 1}
    assert_nothing_is_open(world)


def test_what_the_release_before_left_is_known_too(world: World) -> None:
    ids = world.orders(2)
    world.redis.delete(redis_keys.OPEN_REQUESTS)
    world.job(ids[0]).cancel()  # as that release did; the request itself is open
    world.run_rq("empty", "img_queue")
    world.worker()
    world.until_ended(ids)
    world.assert_each_done_once(ids)
    assert healed(world) == {REQUEUED: 2}
    assert world.redis.keys("rq:canceled:*") == []
    assert_nothing_is_open(world)


def test_who_joined_a_request_that_is_gone_is_queued_alone(world: World) -> None:
    leader = world.order(SLOW, cache_key="same")
    follower = world.order(SLOW, cache_key="same", enqueue=False)
    assert world.record(follower).joined_to == leader
    queues.stop(world.rq, leader)
    world.redis.delete(redis_keys.request(leader), redis_keys.joined(leader))
    world.worker()
    until_healed(world, **{FORGOTTEN: 1, REQUEUED: 1})
    world.until_state(follower, RequestState.SUBMITTED)
    assert not world.record(follower).joined_to


def test_an_heir_of_whom_the_bot_never_heard_is_queued(world: World) -> None:
    leader = world.order(cache_key="same")
    heir = world.order(cache_key="same", enqueue=False)
    assert world.cancel(leader)
    queues.stop(world.rq, leader)
    assert world.events(heir) == ["queued"]  # and nobody reads it
    world.worker()
    world.until_ended([heir])
    assert world.events(heir) == ["queued", "started", "done"]
    assert healed(world) == {REQUEUED: 1}
    assert_nothing_is_open(world)


def test_crashes_leave_nothing_to_heal(world: World) -> None:
    ids = world.orders(6, "a fox [sim:latency=15]")
    other = world.worker("imageworker@2")
    for _ in range(3):
        worker = world.worker().until_ready()
        world.until_state(ids[0], RequestState.SUBMITTED)
        worker.kill()
    other.kill()
    world.worker()
    world.until_ended(ids)
    world.assert_each_done_once(ids)
    assert healed(world) == {}


def test_a_cancelled_job_leaves_nothing_in_redis(world: World) -> None:
    ids = world.orders(20)
    for request in ids:
        assert world.cancel(request)
        queues.stop(world.rq, request)
    assert world.redis.keys("rq:job:*") == world.redis.keys("rq:canceled:*") == []
    assert_nothing_is_open(world)
