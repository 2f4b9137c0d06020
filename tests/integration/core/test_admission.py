"""Who may begin what, and what becomes of everybody and everything that hangs on a request."""

from typing import Any

import pytest
from redis.asyncio import Redis

from app.bot.requests.admission import Admission, Limits, Verdict
from app.bot.result_cache import Result
from app.core import queues, redis_keys, request_scripts
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, Lease, RequestState, RequestStore

FAL = FalRequest("fal-1", "status", "response", "cancel", "endpoint", 1.5)
LEASE = Lease(redis_keys.leases("test"), "any:1")
NO_LIMITS = Limits()


class Harness:
    """Requests of people 1, 2 and 3, and what becomes of them."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.store = RequestStore(redis)
        self.admission = Admission(redis)

    async def admit(
        self,
        request_id: str,
        user_id: int = 1,
        *,
        limits: Limits = NO_LIMITS,
        known: Result | None = None,
        **more: Any,
    ) -> Verdict:
        more = {"cost": 100, **more}
        request = ImageRequest(request_id, user_id, user_id, "en", Operation.CREATE, prompt="a fox", **more)
        return (await self.admission.admit(request, limits, known)).verdict

    async def submit(self, request_id: str) -> None:
        await self.redis.zadd(LEASE.key, {LEASE.execution: 1})
        assert await self.store.begin_submit(request_id, LEASE, 1)
        assert await self.store.mark_submitted(request_id, FAL)

    async def finish(self, request_id: str) -> None:
        await self.submit(request_id)
        assert await self.store.mark_stored(request_id, LEASE, (f"{request_id}.jpg",))
        assert await self.store.mark_done(request_id, LEASE)

    async def state(self, request_id: str) -> RequestState:
        record = await self.store.load(request_id)
        assert record
        return record.state

    async def open_of(self, user_id: int) -> list[str]:
        return [record.request.id for record in await self.store.open_of(user_id)]

    async def events(self) -> list[tuple[str, str]]:
        entries: Any = await self.redis.xrange(redis_keys.EVENTS)
        return [(fields["request_id"], fields["type"]) for _, fields in entries]

    async def ttl(self, request_id: str) -> int:
        return int(await self.redis.ttl(redis_keys.request(request_id)))

    async def spent(self, user_id: int | str = "all") -> int:
        [key] = await self.redis.keys(redis_keys.spend("*", user_id)) or [""]
        return int(await self.redis.get(key) or 0)


@pytest.fixture
def harness(redis: Redis) -> Harness:
    return Harness(redis)


# -- who may --------------------------------------------------------------------------------------------------------


async def test_a_request_is_recorded_once(harness: Harness) -> None:
    assert await harness.admit("r") is Verdict.QUEUED
    assert await harness.admit("r") is Verdict.KNOWN
    assert await harness.spent() == 100


async def test_a_recorded_request_whose_job_may_be_missing_is_to_be_queued_again(harness: Harness) -> None:
    request = ImageRequest("r", 1, 1, "en", Operation.CREATE, prompt="a fox")
    assert (await harness.admission.admit(request)).to_queue
    assert (await harness.admission.admit(request)).to_queue
    await harness.finish("r")
    assert not (await harness.admission.admit(request)).to_queue


async def test_somebody_banned_is_refused(harness: Harness) -> None:
    await harness.redis.sadd(redis_keys.BANNED, "1")
    assert await harness.admit("r") is Verdict.BANNED
    assert await harness.store.load("r") is None


async def test_a_person_has_so_many_open_requests_and_no_more(harness: Harness) -> None:
    limits = Limits(open_requests=2)
    assert [await harness.admit(name, limits=limits) for name in "abc"] == [
        Verdict.QUEUED,
        Verdict.QUEUED,
        Verdict.OPEN,
    ]
    assert await harness.admit("d", user_id=2, limits=limits) is Verdict.QUEUED
    await harness.store.cancel("a")
    assert await harness.admit("c", limits=limits) is Verdict.QUEUED


async def test_a_batch_does_not_count_among_the_open_requests(harness: Harness) -> None:
    limits = Limits(open_requests=1)
    assert await harness.admit("b-1", batch="b", limits=limits) is Verdict.QUEUED
    assert await harness.admit("b-2", batch="b", limits=limits) is Verdict.QUEUED
    assert await harness.admit("r", limits=limits) is Verdict.QUEUED
    assert await harness.open_of(1) == ["r", "b-1", "b-2"]


async def test_a_full_queue_takes_nobody(harness: Harness) -> None:
    await harness.redis.rpush(f"rq:queue:{queues.QUEUE}", "x", "y")
    assert await harness.admit("r", limits=Limits(queue=2)) is Verdict.FULL
    assert await harness.admit("v", limits=Limits(queue=2), queue=queues.QUEUE_HIGH) is Verdict.QUEUED


# -- money ----------------------------------------------------------------------------------------------------------


async def test_what_would_exceed_the_day_s_money_is_refused(harness: Harness) -> None:
    everybody, person = Limits(spend=250), Limits(user_spend=150)
    assert await harness.admit("a", limits=everybody) is Verdict.QUEUED
    assert await harness.admit("b", 2, limits=everybody) is Verdict.QUEUED
    assert await harness.admit("c", 3, limits=everybody) is Verdict.SPEND
    assert await harness.admit("d", 1, limits=person) is Verdict.USER_SPEND
    assert await harness.admit("e", 3, limits=person) is Verdict.QUEUED


async def test_money_comes_back_from_what_fal_never_drew(harness: Harness) -> None:
    for name in "abc":
        await harness.admit(name)
    await harness.store.cancel("a")
    await harness.store.fail("b", FailureReason.PROVIDER_DOWN)
    await harness.submit("c")
    await harness.store.fail("c", FailureReason.BAD_INPUT)
    assert (await harness.spent(), await harness.spent(1)) == (0, 0)


async def test_money_stays_spent_when_fal_has_or_may_have_drawn(harness: Harness) -> None:
    for name in "abcd":
        await harness.admit(name)
    await harness.redis.zadd(LEASE.key, {LEASE.execution: 1})
    assert await harness.store.begin_submit("d", LEASE, 1)
    await harness.store.cancel("d")
    await harness.finish("a")
    await harness.store.fail("b", FailureReason.OUTCOME_UNKNOWN)
    await harness.submit("c")
    await harness.store.cancel("c")
    assert (await harness.spent(), await harness.spent(1)) == (400, 400)


async def test_money_stays_spent_when_a_submit_of_unknown_fate_is_to_be_repeated_and_the_request_ends_first(
    harness: Harness,
) -> None:
    for name in "ab":
        await harness.admit(name)
        await harness.redis.zadd(LEASE.key, {LEASE.execution: 1})
        assert await harness.store.begin_submit(name, LEASE, 1)
        assert await harness.store.undo_submit(name, LEASE, 1)  # it may have been taken
    await harness.store.cancel("a")
    await harness.store.fail("b", FailureReason.INTERNAL)
    assert (await harness.spent(), await harness.spent(1)) == (200, 200)


async def test_money_comes_back_when_fal_surely_did_not_take_the_submit(harness: Harness) -> None:
    await harness.admit("a")
    await harness.redis.zadd(LEASE.key, {LEASE.execution: 1})
    assert await harness.store.begin_submit("a", LEASE, 1)
    assert await harness.store.undo_submit("a", LEASE, 0)
    await harness.store.cancel("a")
    assert await harness.spent() == 0


# -- the same wish --------------------------------------------------------------------------------------------------


async def test_a_known_result_is_told_of_at_once_and_costs_nothing(harness: Harness) -> None:
    known = Result(("old.jpg",), ("file",))
    assert await harness.admit("r", known=known) is Verdict.DONE
    record = await harness.store.load("r")
    assert record
    assert (record.state, record.media, record.file_ids) == (RequestState.DONE, ("old.jpg",), ("file",))
    assert await harness.events() == [("r", "done")]
    assert (await harness.spent(), await harness.open_of(1)) == (0, [])
    assert [record.request.id for record in await harness.store.history(1, 0, 10)] == ["r"]


async def test_who_wants_what_is_just_being_made_joins(harness: Harness) -> None:
    assert await harness.admit("a", 1, cache_key="k") is Verdict.QUEUED
    assert await harness.admit("b", 2, cache_key="k") is Verdict.JOINED
    await harness.finish("a")
    assert await harness.events() == [("a", "started"), ("b", "started"), ("a", "done"), ("b", "done")]
    record = await harness.store.load("b")
    assert record
    assert (record.state, record.media) == (RequestState.DONE, ("a.jpg",))
    assert (await harness.spent(), await harness.spent(2), await harness.open_of(2)) == (100, 0, [])


async def test_who_wants_what_was_just_made_has_it_before_the_cache_does(harness: Harness) -> None:
    await harness.admit("a", 1, cache_key="k")
    await harness.submit("a")
    assert await harness.store.mark_stored("a", LEASE, ("a.jpg",))
    assert await harness.admit("b", 2, cache_key="k") is Verdict.JOINED
    assert await harness.store.mark_done("a", LEASE)
    assert await harness.admit("c", 3, cache_key="k") is Verdict.DONE
    assert [await harness.state(name) for name in "abc"] == [RequestState.DONE] * 3
    assert await harness.spent() == 100


@pytest.mark.parametrize(("slow", "quick"), [(queues.QUEUE_LOW, queues.QUEUE), (queues.QUEUE, queues.QUEUE_HIGH)])
async def test_nobody_joins_what_waits_in_a_slower_queue(harness: Harness, slow: str, quick: str) -> None:
    await harness.admit("s", 1, cache_key="k", queue=slow)
    assert await harness.admit("q", 2, cache_key="k", queue=quick) is Verdict.QUEUED
    assert await harness.admit("t", 3, cache_key="k", queue=slow) is Verdict.JOINED


async def test_what_fal_draws_already_is_joined_whatever_queue_it_was_in(harness: Harness) -> None:
    await harness.admit("b-1", 1, cache_key="k", batch="b", queue=queues.QUEUE_LOW)
    await harness.submit("b-1")
    assert await harness.admit("r", 2, cache_key="k") is Verdict.JOINED


async def test_a_failure_is_everybody_s(harness: Harness) -> None:
    await harness.admit("a", 1, cache_key="k")
    await harness.admit("b", 2, cache_key="k")
    await harness.store.fail("a", FailureReason.POLICY)
    record = await harness.store.load("b")
    assert record
    assert (record.state, record.reason) == (RequestState.FAILED, FailureReason.POLICY)


async def test_who_joined_may_leave(harness: Harness) -> None:
    await harness.admit("a", 1, cache_key="k")
    await harness.admit("b", 2, cache_key="k")
    assert await harness.store.cancel("b")
    await harness.finish("a")
    assert await harness.events() == [("b", "cancelled"), ("a", "started"), ("a", "done")]


async def test_the_first_who_joined_takes_the_place_of_who_leaves(harness: Harness) -> None:
    for user_id, name in enumerate("abc", 1):
        await harness.admit(name, user_id, cache_key="k")
    assert await harness.store.cancel("a")
    assert await harness.events() == [("a", "cancelled"), ("b", "queued")]
    assert await harness.admit("d", 1, cache_key="k") is Verdict.JOINED
    assert (await harness.spent(), await harness.spent(1), await harness.spent(2)) == (100, 0, 100)
    await harness.finish("b")
    assert [await harness.state(name) for name in "bcd"] == [RequestState.DONE] * 3


async def test_who_joined_waits_again_with_what_it_joined(harness: Harness) -> None:
    for user_id, name in enumerate("abc", 1):
        await harness.admit(name, user_id, cache_key="k")
    await harness.submit("a")
    assert await harness.state("c") is RequestState.SUBMITTED
    assert await harness.store.cancel("a")
    for name in "bc":
        record = await harness.store.load(name)
        assert record
        assert (record.state, record.started_at) == (RequestState.QUEUED, None)


async def test_one_of_a_batch_takes_the_place_only_if_nobody_else_can(harness: Harness) -> None:
    await harness.admit("a", 1, cache_key="k")
    await harness.admit("b-1", 2, cache_key="k", batch="b", queue=queues.QUEUE_LOW)
    await harness.admit("c", 3, cache_key="k")
    await harness.store.cancel("a")
    assert (await harness.events())[-1] == ("c", "queued")
    await harness.store.cancel("c")
    assert (await harness.events())[-1] == ("b-1", "queued")


# -- what remains ---------------------------------------------------------------------------------------------------


A_WEEK = 7 * 24 * 3600


async def test_a_record_without_a_result_is_kept_for_a_week_or_a_day_after_it_was_told(
    harness: Harness,
) -> None:
    for name in "abc":
        await harness.admit(name, user_id=ord(name))
    await harness.store.cancel("a")
    await harness.store.fail("b", FailureReason.INTERNAL)
    assert await harness.ttl("c") == -1  # open
    for name in "ab":
        assert A_WEEK / 2 < await harness.ttl(name) <= A_WEEK
        await harness.store.mark_notified(name)
        assert request_scripts.ENDED_TTL / 2 < await harness.ttl(name) <= request_scripts.ENDED_TTL
    await harness.store.mark_notified("d")  # nothing is known of it
    assert await harness.store.load("d") is None


async def test_a_batch_counts_how_its_requests_end(harness: Harness) -> None:
    await harness.redis.hset(redis_keys.batch("b"), "total", "3")
    await harness.admit("b-1", batch="b")
    await harness.admit("b-2", batch="b")
    await harness.admit("b-3", batch="b", known=Result(("m",), ()))
    await harness.finish("b-1")
    await harness.store.fail("b-2", FailureReason.POLICY)
    assert await harness.redis.hgetall(redis_keys.batch("b")) == {"total": "3", "done": "2", "failed": "1"}


async def test_a_batch_that_was_forgotten_is_not_counted_anew_for_ever(harness: Harness) -> None:
    """Its requests may wait for longer than it is remembered, in a pause."""
    await harness.admit("b-1", batch="b")
    await harness.redis.delete(redis_keys.batch("b"))
    await harness.finish("b-1")
    await harness.admit("b-2", batch="b", known=Result(("m",), ()))
    assert not await harness.redis.exists(redis_keys.batch("b"))


async def test_the_history_holds_the_last_fifty_newest_first(harness: Harness) -> None:
    for number in range(request_scripts.HISTORY_MAX + 2):
        await harness.admit(f"r{number}", known=Result(("m",), ()))
    assert [record.request.id for record in await harness.store.history(1, 0, 3)] == ["r51", "r50", "r49"]
    assert len(await harness.store.history(1, 0, 100)) == request_scripts.HISTORY_MAX


async def test_what_leaves_the_history_is_kept_for_a_week_or_an_hour_after_it_was_told(harness: Harness) -> None:
    await harness.admit("early", known=Result(("m",), ()))
    await harness.store.mark_notified("early")
    kept = await harness.ttl("early")
    assert kept > A_WEEK
    for number in range(request_scripts.HISTORY_MAX + 1):
        await harness.admit(f"r{number}", known=Result(("m",), ()))
    assert 0 < await harness.ttl("early") <= request_scripts.FORGOTTEN_TTL
    assert A_WEEK / 2 < await harness.ttl("r0") <= A_WEEK
    await harness.store.mark_notified("r0")
    assert 0 < await harness.ttl("r0") <= request_scripts.FORGOTTEN_TTL
    await harness.store.mark_notified("r1")
    assert await harness.ttl("r1") > A_WEEK


async def test_telegram_s_names_of_the_pictures_are_kept(harness: Harness) -> None:
    await harness.admit("r")
    await harness.finish("r")
    await harness.store.mark_sent("r", ("file-1",))
    record = await harness.store.load("r")
    assert record
    assert record.file_ids == ("file-1",)


# -- who has not ended ----------------------------------------------------------------------------------------------


async def test_all_open_requests_stand_in_one_set_until_they_end(harness: Harness) -> None:
    await harness.admit("leader", cache_key="same")
    await harness.admit("joined", 2, cache_key="same")
    await harness.admit("of-a-batch", 3, batch="b")
    await harness.admit("known", 3, known=Result(("known.jpg",), ()))
    await harness.admit("cancelled", 3)
    everybody: Any = await harness.redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1, withscores=True)
    assert sorted(request_id for request_id, _ in everybody) == ["cancelled", "joined", "leader", "of-a-batch"]
    assert [score for _, score in everybody] == sorted(score for _, score in everybody)
    await harness.store.cancel("cancelled")
    await harness.store.fail("of-a-batch", FailureReason.INTERNAL)
    assert await harness.redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1) == ["leader", "joined"]
    await harness.finish("leader")
    assert not await harness.redis.exists(redis_keys.OPEN_REQUESTS)
