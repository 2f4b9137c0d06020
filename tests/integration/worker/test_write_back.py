"""Redis has lost what a worker still knows: it is written back, and nothing is submitted twice."""

from app.core import redis_keys
from app.core.epoch import Epoch, EpochClock
from app.core.requests import RequestState
from tests.integration.worker.harness import Harness
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=5]"


def tick(harness: Harness) -> int:
    return int(harness.redis.hget(redis_keys.EPOCH, "tick") or 0)


def fall_behind(harness: Harness) -> None:
    """Let Redis know of fewer ticks than there were."""
    wait_until(lambda: tick(harness) > 3, "the worker raises the tick")
    harness.redis.hset(redis_keys.EPOCH, "tick", 1)


def recover(harness: Harness) -> None:
    """Announce the next epoch, as the bot does once it has seen to what was lost."""
    epoch = Epoch()
    epoch.see(0, 10**6)
    harness.with_redis(lambda redis: EpochClock(redis, epoch).announce())


def submitted(harness: Harness) -> str:
    request = harness.order(SLOW)
    harness.worker()
    harness.until_state(request, RequestState.SUBMITTED)
    wait_until(lambda: tick(harness) > 3, "the worker raises the tick")
    return request


def test_after_a_flush_the_request_that_fal_has_goes_on(harness: Harness) -> None:
    request = submitted(harness)
    harness.redis.flushall()
    wait_until(lambda: harness.redis.exists(redis_keys.request(request)), "its record is written back")
    recover(harness)
    harness.until_ended([request])
    assert harness.record(request).state is RequestState.DONE
    assert harness.counts()["submits"] == 1


def test_with_an_older_copy_the_request_that_fal_has_goes_on(harness: Harness) -> None:
    request = submitted(harness)
    key = redis_keys.request(request)
    fall_behind(harness)
    harness.redis.hset(key, mapping={"state": "queued", "submits": 0, "fal": ""})
    harness.until_state(request, RequestState.SUBMITTED)
    recover(harness)
    harness.until_ended([request])
    assert harness.record(request).state is RequestState.DONE
    assert harness.counts()["submits"] == 1


def test_while_redis_is_behind_nothing_is_claimed_or_submitted(harness: Harness) -> None:
    worker = harness.worker().until_ready()
    fall_behind(harness)
    request = harness.order()
    wait_until(lambda: "Redis knows less than it did" in worker.log(), "the worker has noticed")
    assert harness.redis.llen("rq:queue:img_queue") == 1
    assert harness.counts()["submits"] == 0
    recover(harness)
    harness.until_ended([request])
    harness.assert_each_done_once([request])


def test_a_bot_that_has_seen_nothing_learns_it_from_the_workers(harness: Harness) -> None:
    worker = harness.worker().until_ready()
    fall_behind(harness)
    wait_until(lambda: "Redis knows less than it did" in worker.log(), "the worker has noticed")
    new = Epoch()
    assert not harness.with_redis(lambda redis: EpochClock(redis, new).tick())
    harness.with_redis(lambda redis: EpochClock(redis, new).announce())
    assert harness.with_redis(lambda redis: EpochClock(redis, new).tick())
    request = harness.order()
    harness.until_ended([request])
    harness.assert_each_done_once([request])
