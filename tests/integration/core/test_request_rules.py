"""The rules of docs/requests.md, for three people who ask for the same: whatever happens in whatever order."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis.asyncio import Redis

from app.bot.requests.admission import Admission, Verdict
from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, Lease, RequestState, RequestStore
from tests.support.redis_server import RedisServer

COST = 100
CACHE_KEY = "same"
BATCH = "b"
BATCH_MEMBERS = frozenset({"batch-1", "batch-2"})
USERS = {"r1": 1, "r2": 2, "r3": 3, "batch-1": 1, "batch-2": 1}
USUAL, LOWEST = (queues.QUEUES.index(queue) + 1 for queue in (queues.QUEUE, queues.QUEUE_LOW))
NAMES = st.sampled_from(sorted(USERS))
REASONS = st.sampled_from((FailureReason.POLICY, FailureReason.BAD_INPUT, FailureReason.OUTCOME_UNKNOWN))

S = RequestState
OPEN = {S.QUEUED, S.SUBMITTING, S.SUBMITTED, S.STORED}
STEPS = {
    "begin_submit": ({S.QUEUED, S.SUBMITTING}, S.SUBMITTING),
    "undo_submit": ({S.SUBMITTING}, S.QUEUED),
    "submitted": ({S.SUBMITTING}, S.SUBMITTED),
    "model_failed": ({S.SUBMITTED}, S.QUEUED),
    "stored": ({S.SUBMITTED}, S.STORED),
    "done": ({S.STORED}, S.DONE),
}
"""What a worker may do: the states it may be done in, and the one that follows."""


@dataclass
class Expected:
    """What must be known of one request."""

    name: str
    state: RequestState
    leader: str = ""
    rank: int = 0
    has_money: bool = False
    fal_may_draw: bool = False
    was_submitted: bool = False

    @property
    def user(self) -> int:
        return USERS[self.name]

    @property
    def is_of_batch(self) -> bool:
        return self.name in BATCH_MEMBERS


@dataclass
class Rules:
    """The rules, in Python."""

    requests: dict[str, Expected] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    spent: dict[int | str, int] = field(default_factory=lambda: {"all": 0, 1: 0, 2: 0, 3: 0})
    followers: dict[str, list[str]] = field(default_factory=dict)
    leader: str = ""
    """Who leads those who ask for the same."""

    def spend(self, user: int, cost: int) -> None:
        self.spent["all"] += cost
        self.spent[user] += cost

    def admit(self, name: str) -> Verdict:
        if name in self.requests:
            return Verdict.KNOWN
        rank = LOWEST if name in BATCH_MEMBERS else USUAL
        leader = self.requests.get(self.leader)
        if leader and leader.state is S.DONE:
            self.requests[name] = Expected(name, S.DONE)
            self.events.append((name, "done"))
            return Verdict.DONE
        if leader and not (leader.state is S.QUEUED and leader.rank > rank):
            state = S.QUEUED if leader.state in {S.QUEUED, S.SUBMITTING} else S.SUBMITTED
            self.requests[name] = Expected(name, state, leader.name)
            self.followers.setdefault(leader.name, []).append(name)
            return Verdict.JOINED
        self.requests[name] = Expected(name, S.QUEUED, rank=rank, has_money=True)
        self.leader = name
        self.spend(USERS[name], COST)
        return Verdict.QUEUED

    def step(self, name: str, step: str) -> bool:
        request = self.requests[name]
        entered_from, state = STEPS[step]
        if request.state not in entered_from:
            return False
        request.state = state
        followers = [self.requests[follower] for follower in self.followers.get(name, ())]
        if step == "begin_submit":
            request.fal_may_draw = True
        elif state is S.QUEUED:
            request.fal_may_draw = False
            for follower in followers:
                follower.state, follower.was_submitted = S.QUEUED, False
        elif state is S.SUBMITTED:
            if not request.was_submitted:
                self.events += [(told.name, "started") for told in (request, *followers)]
            for told in (request, *followers):
                told.state, told.was_submitted = S.SUBMITTED, True
        elif state is S.DONE:
            self.end(request, followers, S.DONE)
        return True

    def fail(self, name: str, reason: FailureReason) -> bool:
        request = self.requests[name]
        if request.state not in OPEN:
            return False
        self.refund(request, reason)
        self.end(request, self.take_followers(name), S.FAILED)
        return True

    def cancel(self, name: str) -> bool:
        request = self.requests[name]
        if request.state not in OPEN:
            return False
        self.refund(request, None)
        followers = self.take_followers(name)
        self.end(request, [], S.CANCELLED)
        if followers:
            self.promote(followers)
        return True

    def refund(self, request: Expected, reason: FailureReason | None) -> None:
        drawn = request.fal_may_draw or reason is FailureReason.OUTCOME_UNKNOWN
        if request.has_money and (reason is FailureReason.BAD_INPUT or not drawn):
            self.spend(request.user, -COST)

    def take_followers(self, name: str) -> list[Expected]:
        return [self.requests[follower] for follower in self.followers.pop(name, ())]

    def end(self, request: Expected, followers: list[Expected], state: RequestState) -> None:
        if self.leader == request.name and state is not S.DONE:
            self.leader = ""
        if request.leader:
            self.followers[request.leader].remove(request.name)
        self.followers.pop(request.name, None)
        for ended in (request, *followers):
            ended.state = state
            self.events.append((ended.name, state.value))

    def promote(self, followers: list[Expected]) -> None:
        promoted = next((follower for follower in followers if not follower.is_of_batch), followers[0])
        followers.remove(promoted)
        for follower in (promoted, *followers):
            follower.state, follower.was_submitted, follower.leader = S.QUEUED, False, promoted.name
        promoted.leader, promoted.has_money = "", True
        promoted.rank = LOWEST if promoted.is_of_batch else USUAL
        self.followers[promoted.name] = [follower.name for follower in followers]
        self.leader = promoted.name
        self.spend(promoted.user, COST)
        self.events.append((promoted.name, "queued"))


class Requests(RuleBasedStateMachine):
    """What the scripts make of it is what the rules say."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = Redis.from_url(self.url, decode_responses=True)
        self.store, self.admission = RequestStore(self.redis), Admission(self.redis)
        self.run(self.redis.flushall())
        self.run(self.redis.hset(redis_keys.batch(BATCH), "total", len(BATCH_MEMBERS)))
        self.model = Rules()
        self.ended: dict[str, RequestState] = {}

    def teardown(self) -> None:
        self.run(self.redis.aclose())
        self.loop.close()

    def run(self, call: Awaitable[Any]) -> Any:
        async def awaiting() -> Any:
            return await call

        return self.loop.run_until_complete(awaiting())

    @rule(name=NAMES)
    def admit(self, name: str) -> None:
        batch = BATCH if name in BATCH_MEMBERS else ""
        request = ImageRequest(
            name, USERS[name], 1, "en", Operation.CREATE, cost=COST, cache_key=CACHE_KEY, batch=batch,
            queue=queues.QUEUE_LOW if batch else queues.QUEUE,
        )  # fmt: skip
        assert self.run(self.admission.admit(request)).verdict is self.model.admit(name)

    def worked_on(self, name: str) -> bool:
        """Whether a worker may have it: who waits for another's picture has no job."""
        return name in self.model.requests and not self.model.requests[name].leader

    @rule(name=NAMES, step=st.sampled_from(sorted(STEPS)))
    def step(self, name: str, step: str) -> None:
        if not self.worked_on(name):
            return
        lease = Lease(redis_keys.leases("test"), f"{name}:1")
        self.run(self.redis.zadd(lease.key, {lease.execution: 1}))
        fal = FalRequest(f"fal-{name}", "status", "response", "cancel", "endpoint", 1.5)
        calls = {
            "begin_submit": lambda: self.store.begin_submit(name, lease, 1),
            "undo_submit": lambda: self.store.undo_submit(name, lease, 0),
            "submitted": lambda: self.store.mark_submitted(name, fal),
            "model_failed": lambda: self.store.count_model_failure(name, lease, 1),
            "stored": lambda: self.store.mark_stored(name, lease, ("picture",)),
            "done": lambda: self.store.mark_done(name, lease),
        }
        assert self.run(calls[step]()) is self.model.step(name, step)

    @rule(name=NAMES, steps=st.integers(1, 4))
    def goes_on(self, name: str, steps: int) -> None:
        """What would take many rules in a row, so that late states are seen often."""
        for step in ("begin_submit", "submitted", "stored", "done")[:steps]:
            self.step(name, step)

    @rule(name=NAMES, reason=REASONS)
    def fail(self, name: str, reason: FailureReason) -> None:
        if self.worked_on(name):
            assert self.run(self.store.fail(name, reason)) is self.model.fail(name, reason)

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        if name in self.model.requests:
            assert self.run(self.store.cancel(name)) is self.model.cancel(name)

    @invariant()
    def everything_is_as_the_rules_say(self) -> None:
        expected = self.model.requests
        records = {name: self.run(self.store.load(name)) for name in expected}
        assert {name: record.state for name, record in records.items()} == {
            name: request.state for name, request in expected.items()
        }
        assert {name: record.joined_to for name, record in records.items() if not record.state.is_terminal} == {
            name: request.leader for name, request in expected.items() if request.state in OPEN
        }
        entries = self.run(self.redis.xrange(redis_keys.EVENTS))
        assert [(fields["request_id"], fields["type"]) for _, fields in entries] == self.model.events

    @invariant()
    def what_has_ended_stays_so_and_is_told_of_once(self) -> None:
        for name, request in self.model.requests.items():
            if request.state.is_terminal:
                assert self.ended.setdefault(name, request.state) is request.state
        ends = [name for name, event in self.model.events if event in {"done", "failed", "cancelled"}]
        assert sorted(ends) == sorted(self.ended)

    @invariant()
    def money_is_set_aside_once_for_each_and_given_back_at_most_once(self) -> None:
        spent = {}
        for who in self.model.spent:
            [key] = self.run(self.redis.keys(redis_keys.spend("*", who))) or [""]
            spent[who] = int(self.run(self.redis.get(key)) or 0)
        assert spent == self.model.spent
        assert all(0 <= amount <= COST * len(USERS) for amount in spent.values())
        assert spent["all"] == sum(amount for who, amount in spent.items() if who != "all")

    @invariant()
    def lists_and_counters_agree_with_the_records(self) -> None:
        requests = self.model.requests.values()
        open_names = {request.name for request in requests if request.state in OPEN}
        assert set(self.run(self.redis.zrange(redis_keys.OPEN_REQUESTS, 0, -1))) == open_names
        for user in set(USERS.values()):
            mine = {name for name in open_names if USERS[name] == user}
            assert set(self.run(self.redis.zrange(redis_keys.open_requests(user), 0, -1))) == mine - BATCH_MEMBERS
            assert set(self.run(self.redis.zrange(redis_keys.open_batch(user), 0, -1))) == mine & BATCH_MEMBERS
            made = {request.name for request in requests if request.user == user and request.state is S.DONE}
            assert set(self.run(self.redis.zrange(redis_keys.history(user), 0, -1))) == made
        ended_of_batch = [request.state for request in requests if request.is_of_batch and request.state not in OPEN]
        counted = self.run(self.redis.hgetall(redis_keys.batch(BATCH)))
        ended = {state.value: str(ended_of_batch.count(state)) for state in set(ended_of_batch)}
        assert counted == {"total": "2", **ended}
        for name in self.model.requests:
            waiting = self.run(self.redis.lrange(redis_keys.joined(name), 0, -1))
            assert waiting == self.model.followers.get(name, [])
        assert (self.run(self.redis.get(redis_keys.in_flight(CACHE_KEY))) or "") == self.model.leader


def test_any_order_of_events_comes_to_what_the_rules_say(redis_process: RedisServer) -> None:
    Requests.url = redis_process.url
    run_state_machine_as_test(Requests, settings=settings(max_examples=100, stateful_step_count=30, deadline=None))
