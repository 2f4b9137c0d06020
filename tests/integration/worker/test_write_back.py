"""Redis has lost what a worker still knows: it is written back, and nothing is submitted twice."""

from app.core import redis_keys
from app.core.epoch import Epoch, EpochClock
from app.core.requests import RequestState
from tests.integration.worker.world import World
from tests.support.waiting import wait_until

SLOW = "a slow fox [sim:latency=5]"


def tick(world: World) -> int:
    return int(world.redis.hget(redis_keys.EPOCH, "tick") or 0)


def fall_behind(world: World) -> None:
    """Let Redis know of fewer ticks than there were."""
    wait_until(lambda: tick(world) > 3, "the worker raises the tick")
    world.redis.hset(redis_keys.EPOCH, "tick", 1)


def recover(world: World) -> None:
    """Announce the next epoch, as the bot does once it has seen to what was lost."""
    epoch = Epoch()
    epoch.see(0, 10**6)
    world.with_redis(lambda redis: EpochClock(redis, epoch).announce())


def submitted(world: World) -> str:
    request = world.order(SLOW)
    world.worker()
    world.until_state(request, RequestState.SUBMITTED)
    wait_until(lambda: tick(world) > 3, "the worker raises the tick")
    return request


def test_after_a_flush_the_request_that_fal_has_goes_on(world: World) -> None:
    request = submitted(world)
    world.redis.flushall()
    wait_until(lambda: world.redis.exists(redis_keys.request(request)), "its record is written back")
    recover(world)
    world.until_ended([request])
    assert world.record(request).state is RequestState.DONE
    assert world.counts()["submits"] == 1


def test_with_an_older_copy_the_request_that_fal_has_goes_on(world: World) -> None:
    request = submitted(world)
    key = redis_keys.request(request)
    fall_behind(world)
    world.redis.hset(key, mapping={"state": "queued", "submits": 0, "fal": ""})
    world.until_state(request, RequestState.SUBMITTED)
    recover(world)
    world.until_ended([request])
    assert world.record(request).state is RequestState.DONE
    assert world.counts()["submits"] == 1


def test_while_redis_is_behind_nothing_is_claimed_or_submitted(world: World) -> None:
    worker = world.worker().until_ready()
    fall_behind(world)
    request = world.order()
    wait_until(lambda: "Redis knows less than it did" in worker.log(), "the worker has noticed")
    assert world.redis.llen("rq:queue:img_queue") == 1
    assert world.counts()["submits"] == 0
    recover(world)
    world.until_ended([request])
    world.assert_each_done_once([request])


def test_a_bot_that_has_seen_nothing_learns_it_from_the_workers(world: World) -> None:
    worker = world.worker().until_ready()
    fall_behind(world)
    wait_until(lambda: "Redis knows less than it did" in worker.log(), "the worker has noticed")
    new = Epoch()
    assert not world.with_redis(lambda redis: EpochClock(redis, new).tick())
    world.with_redis(lambda redis: EpochClock(redis, new).announce())
    assert world.with_redis(lambda redis: EpochClock(redis, new).tick())
    request = world.order()
    world.until_ended([request])
    world.assert_each_done_once([request])
