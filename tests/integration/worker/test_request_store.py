"""The life of a request's record: whatever happens in whatever order, it ends once, and is told of once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis.asyncio import Redis

from app.bot.requests.admission import Admission, Verdict
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, Lease, LeaseLostError, RequestState, RequestStore
from tests.support.redis_server import RedisServer

LEASES = redis_keys.leases("test")
CHANCE = st.integers(0, 3)  # so that a request is not ended early as a rule
WORKERS = st.sampled_from(("anna", "boris"))


def request(request_id: str = "r") -> ImageRequest:
    return ImageRequest(id=request_id, user_id=1, chat_id=1, locale="en", operation=Operation.CREATE, prompt="лиса")


def fal_request(number: int = 1) -> FalRequest:
    return FalRequest(f"fal-{number}", "status", "response", "cancel", "endpoint", 1.5)


class Life(RuleBasedStateMachine):
    """Two workers, of which one at most has the lease, do what they like with one request; so does its owner."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = Redis.from_url(self.url, decode_responses=True)
        self.store = RequestStore(self.redis)
        self.run(self.redis.flushall())
        self.run(Admission(self.redis).admit(request()))
        self.holder: str | None = None
        self.lease_number = 0
        self.leases: dict[str, Lease] = {}
        self.answers = 0
        self.ended_as: RequestState | None = None

    def teardown(self) -> None:
        self.run(self.redis.aclose())
        self.loop.close()

    def run(self, call: Awaitable[Any]) -> Any:
        async def awaiting() -> Any:
            return await call

        return self.loop.run_until_complete(awaiting())

    def act(self, worker: str, move: Callable[[Lease], Coroutine[Any, Any, bool]]) -> bool:
        """Let a worker do something under the lease that it has, or once had."""
        if worker not in self.leases:
            self.takes_the_job(worker)
        lease = self.leases[worker]
        if worker != self.holder:
            with pytest.raises(LeaseLostError):
                self.run(move(lease))
            return False
        return bool(self.run(move(lease)))

    @rule(worker=WORKERS)
    def takes_the_job(self, worker: str) -> None:
        """The lease goes to a worker, whoever had it before."""
        if self.holder:
            self.run(self.redis.zrem(LEASES, self.leases[self.holder].execution))
        self.lease_number += 1
        self.holder, self.leases[worker] = worker, Lease(LEASES, f"r:{self.lease_number}")
        self.run(self.redis.zadd(LEASES, {self.leases[worker].execution: 1}))

    @precondition(lambda self: self.holder)
    @rule()
    def loses_the_job(self) -> None:
        assert self.holder
        self.run(self.redis.zrem(LEASES, self.leases[self.holder].execution))
        self.holder = None

    @rule(worker=WORKERS)
    def begins_a_submit(self, worker: str) -> None:
        self.act(worker, lambda lease: self.store.begin_submit("r", lease, 1))

    @rule(worker=WORKERS)
    def learns_that_fal_did_not_take_it(self, worker: str) -> None:
        self.act(worker, lambda lease: self.store.undo_submit("r", lease, 0))

    @rule()
    def learns_that_fal_took_it(self) -> None:
        """Anybody may, with or without a lease."""
        self.answers += 1
        self.run(self.store.mark_submitted("r", fal_request(self.answers)))

    @rule(worker=WORKERS)
    def sees_the_model_fail(self, worker: str) -> None:
        self.act(worker, lambda lease: self.store.count_model_failure("r", lease, 1))

    @rule(worker=WORKERS)
    def stores_the_picture(self, worker: str) -> None:
        self.act(worker, lambda lease: self.store.mark_stored("r", lease, ("picture",)))

    @rule(worker=WORKERS)
    def ends_it_well(self, worker: str) -> None:
        if self.act(worker, lambda lease: self.store.mark_done("r", lease)):
            self.ends(RequestState.DONE)

    @rule(worker=WORKERS, steps=st.integers(3, 4))
    def goes_far(self, worker: str, steps: int) -> None:
        """What would take many rules in a row, so that late states are seen often."""
        self.takes_the_job(worker)
        for step in (
            partial(self.begins_a_submit, worker),
            self.learns_that_fal_took_it,
            partial(self.stores_the_picture, worker),
            partial(self.ends_it_well, worker),
        )[:steps]:
            step()

    @rule(worker=WORKERS, chance=CHANCE)
    def fails_it(self, worker: str, chance: int) -> None:
        if not chance and self.act(worker, lambda lease: self.store.fail("r", FailureReason.POLICY, lease)):
            self.ends(RequestState.FAILED)

    @rule(chance=CHANCE)
    def cancels_it(self, chance: int) -> None:
        if not chance and self.run(self.store.cancel("r")):
            self.ends(RequestState.CANCELLED)

    @rule()
    def is_received_again(self) -> None:
        assert self.run(Admission(self.redis).admit(request())).verdict is Verdict.KNOWN

    def ends(self, state: RequestState) -> None:
        assert self.ended_as is None
        self.ended_as = state

    @invariant()
    def ends_once_and_is_told_of_once(self) -> None:
        record = self.run(self.store.load("r"))
        assert record.state.is_terminal == (self.ended_as is not None)
        assert self.ended_as in {None, record.state}
        told = [fields["type"] for _, fields in self.run(self.redis.xrange(redis_keys.EVENTS))]
        assert told.count("started") <= 1
        assert [event for event in told if event != "started"] == ([self.ended_as.value] if self.ended_as else [])
        assert "started" not in told[1:]
        assert (record.state not in {RequestState.SUBMITTED, RequestState.STORED, RequestState.DONE}) or record.fal
        assert (record.state not in {RequestState.STORED, RequestState.DONE}) or record.media == ("picture",)


def test_any_order_of_events_ends_in_one_state_that_is_told_of_once(redis_process: RedisServer) -> None:
    Life.url = redis_process.url
    run_state_machine_as_test(Life, settings=settings(max_examples=100, stateful_step_count=25, deadline=None))


@pytest.fixture
def store(redis: Redis) -> RequestStore:
    return RequestStore(redis)


async def test_a_record_holds_all_that_must_outlive_a_crash(store: RequestStore, redis: Redis) -> None:
    lease = Lease(LEASES, "r:1")
    await redis.zadd(LEASES, {lease.execution: 1})
    asked = request()
    await Admission(redis).admit(asked)
    assert await store.begin_submit("r", lease, 2)
    submitting = await store.load("r")
    assert submitting is not None
    assert (submitting.request, submitting.submits) == (asked, 2)
    assert submitting.submitting_at > 0
    assert await store.mark_submitted("r", fal_request())
    assert await store.mark_stored("r", lease, ("a", "b"))
    assert await store.mark_done("r", lease)
    record = await store.load("r")
    assert record is not None
    assert (record.state, record.fal, record.media) == (RequestState.DONE, fal_request(), ("a", "b"))
    assert await redis.ttl(redis_keys.request("r")) > 0


async def test_an_unknown_request_is_none_and_moves_nowhere(store: RequestStore, redis: Redis) -> None:
    assert await store.load("r") is None
    assert not await store.cancel("r")
    assert not await store.fail("r", FailureReason.INTERNAL)
    assert await redis.xlen(redis_keys.EVENTS) == 0
