"""Claims and leases: the scripts, in a real Redis."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from rq import Queue, Retry
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.suspension import resume, suspend

from app.bot.requests.admission import Admission
from app.core import pause, redis_keys
from app.core.operations import Operation
from app.core.requests import ImageRequest, Lease, LeaseLostError, RequestStore
from app.worker.leases import Claim, Leases
from app.worker.put_back import AT_WORK_FIELD, CRASHES_FIELD
from tests.support.redis_server import RedisServer

QUEUES = ("high", "normal", "low")
NO_CAP = 1_000
LEASE = 60.0
LOOK = 20.0
HOUR = 3600.0


class Scene:
    """Two workers on three queues."""

    def __init__(self, url: str, redis: Redis) -> None:
        self.rq = BlockingRedis.from_url(url)
        self.redis = redis
        self.bytes = Redis.from_url(url)
        self.seconds = 0.0  # by the workers' own clock
        self.anna = self.worker("anna")
        self.boris = self.worker("boris")

    def worker(self, name: str) -> Leases:
        return Leases(self.bytes, name, QUEUES, LEASE, clock=lambda: self.seconds)

    def enqueue(self, queue: str, *ids: str) -> None:
        for job_id in ids:
            Queue(queue, connection=self.rq, serializer=JSONSerializer).enqueue_call(
                "some.function", job_id=job_id, retry=Retry(max=1), timeout=60
            )

    async def claim(self, leases: Leases, slots: int, cap: int = NO_CAP, low_share: int = 0) -> list[str]:
        _, claims = await leases.claim(slots, cap, low_share)
        return [claim.job_id for claim in claims]

    async def queued(self, queue: str) -> list[str]:
        return [str(job_id) for job_id in await self.redis.lrange(f"rq:queue:{queue}", 0, -1)]

    async def crashes(self, job_id: str) -> int:
        return int(await self.redis.hget(f"rq:job:{job_id}", CRASHES_FIELD) or 0)

    async def watch(self, leases: Leases, seconds: float, *renewed: Claim) -> list[str]:
        """Let a worker look at all leases for so long, while others are renewed; give what it puts back."""
        back = await leases.reap()
        for _ in range(int(seconds / LOOK)):
            self.seconds += LOOK
            assert await self.anna.renew(renewed) == set()
            back += await leases.reap()
        return back

    async def step_clock(self, seconds: float) -> None:
        """Leave the leases' ends where Redis' clock, stepping, would have left them relative to it."""
        for queue in QUEUES:
            for execution in await self.redis.zrange(redis_keys.leases(queue), 0, -1):
                await self.redis.zincrby(redis_keys.leases(queue), -seconds, str(execution))

    async def score(self, claim: Claim) -> float:
        return float(await self.redis.zscore(redis_keys.leases(claim.queue), claim.composite) or 0)

    def status(self, job_id: str) -> str:
        return str(Job.fetch(job_id, self.rq, JSONSerializer).get_status().value)


def held(claim: Claim) -> Lease:
    return Lease(redis_keys.leases(claim.queue), claim.composite)


@pytest.fixture
async def scene(redis_process: RedisServer, redis: Redis) -> AsyncIterator[Scene]:
    scene = Scene(redis_process.url, redis)
    yield scene
    scene.rq.close()
    await scene.bytes.aclose()


async def test_jobs_are_claimed_in_strict_order_of_queues_and_then_of_arrival(scene: Scene) -> None:
    scene.enqueue("low", "l1", "l2")
    scene.enqueue("normal", "n1", "n2")
    scene.enqueue("high", "h1", "h2")
    assert await scene.claim(scene.anna, 3) == ["h1", "h2", "n1"]
    assert await scene.claim(scene.boris, 9) == ["n2", "l1", "l2"]


async def test_claims_of_many_at_once_share_the_jobs_out(scene: Scene) -> None:
    scene.enqueue("normal", *(f"j{number}" for number in range(60)))
    workers = [scene.worker(f"w{number}") for number in range(10)]
    claimed = await asyncio.gather(*(scene.claim(worker, 7) for worker in workers))
    ids = [job_id for share in claimed for job_id in share]
    assert len(ids) == len(set(ids)) == 60


async def test_a_claim_is_a_whole_for_rq(scene: Scene) -> None:
    scene.enqueue("normal", "j")
    [claim] = (await scene.anna.claim(5, NO_CAP, 0))[1]
    job = Job.fetch("j", scene.rq, JSONSerializer)
    assert (job.get_status(), job.worker_name) == ("started", "anna")
    assert StartedJobRegistry("normal", scene.rq).get_job_and_execution_ids() == [("j", claim.execution_id)]
    [execution] = job.get_executions()
    assert (execution.id, execution.worker_name) == (claim.execution_id, "anna")
    assert await scene.redis.ttl("rq:job:j") == -1
    assert claim.job_hash[b"status"] == b"started"


async def test_the_low_queue_gets_its_share_first_and_no_more(scene: Scene) -> None:
    scene.enqueue("normal", "n1", "n2", "n3", "n4")
    scene.enqueue("low", "l1", "l2")
    assert await scene.claim(scene.anna, 2, low_share=1) == ["l1", "n1"]
    assert await scene.claim(scene.boris, 2, low_share=1) == ["n2", "n3"]


async def test_the_cap_counts_the_leases_of_all_workers(scene: Scene) -> None:
    scene.enqueue("high", "h1", "h2")
    scene.enqueue("normal", "n1", "n2")
    assert await scene.claim(scene.anna, 3, cap=3) == ["h1", "h2", "n1"]
    assert await scene.boris.claim(5, 3, 0) == ("full", [])
    assert await scene.anna.put_back_own(count_crash=False) == ["h1", "h2", "n1"]
    assert await scene.claim(scene.boris, 5, cap=3) == ["h1", "h2", "n1"]


async def test_nothing_is_claimed_while_suspended_or_paused(scene: Scene) -> None:
    scene.enqueue("normal", "j")
    suspend(scene.rq)
    assert await scene.anna.claim(1, NO_CAP, 0) == ("suspended", [])
    resume(scene.rq)
    await scene.redis.set(redis_keys.PAUSED, "out-of-money")
    assert await scene.anna.claim(1, NO_CAP, 0) == ("paused", [])
    await scene.redis.delete(redis_keys.PAUSED)
    assert await scene.claim(scene.anna, 1) == ["j"]


async def test_ids_without_a_queued_job_are_dropped(scene: Scene) -> None:
    scene.enqueue("normal", "finished", "good")
    await scene.redis.hset("rq:job:finished", "status", "finished")
    await scene.redis.lpush("rq:queue:normal", "vanished")
    assert await scene.claim(scene.anna, 5) == ["good"]
    assert await scene.queued("normal") == []


async def test_a_renewal_extends_and_tells_what_is_lost(scene: Scene) -> None:
    scene.enqueue("normal", "kept", "lost")
    kept, lost = (await scene.anna.claim(2, NO_CAP, 0))[1]
    assert await scene.watch(scene.boris, LEASE, kept) == ["lost"]
    assert await scene.anna.renew([kept, lost]) == {lost.composite}


async def test_what_is_put_back_goes_to_the_head_in_the_old_order_and_nobody_is_blamed(scene: Scene) -> None:
    scene.enqueue("normal", *"abcdef")
    scene.enqueue("high", "h")
    assert await scene.claim(scene.anna, 3) == ["h", "a", "b"]
    assert await scene.claim(scene.anna, 2) == ["c", "d"]
    assert await scene.anna.put_back_own(count_crash=False) == ["h", "a", "b", "c", "d"]
    assert await scene.queued("normal") == ["a", "b", "c", "d", "e", "f"]
    assert scene.status("a") == "queued"
    assert await scene.crashes("a") == 0
    assert StartedJobRegistry("normal", scene.rq).get_job_count() == 0
    assert await scene.redis.keys("rq:execution:*") == []


async def test_the_jobs_of_the_dead_go_back_when_their_leases_have_not_moved_for_their_length(scene: Scene) -> None:
    scene.enqueue("normal", *"abc")
    living = (await scene.anna.claim(3, NO_CAP, 0))[1][2]
    assert await scene.watch(scene.boris, LEASE - LOOK, living) == []
    assert await scene.watch(scene.boris, LOOK, living) == ["a", "b"]
    assert await scene.watch(scene.boris, LEASE, living) == []
    assert await scene.queued("normal") == ["a", "b"]
    assert await scene.crashes("a") == 1


@pytest.mark.parametrize("step", [14.0, HOUR, -HOUR])
async def test_a_step_of_redis_clock_gives_no_living_workers_job_away_and_keeps_no_dead_ones(
    scene: Scene, step: float
) -> None:
    scene.enqueue("normal", "living", "dead")
    living, _ = (await scene.anna.claim(2, NO_CAP, 0))[1]
    assert await scene.boris.reap() == []
    await scene.step_clock(step)
    assert await scene.watch(scene.boris, LEASE - LOOK, living) == []
    assert await scene.watch(scene.boris, LOOK, living) == ["dead"]
    assert scene.status("living") == "started"


async def test_a_renewal_moves_a_lease_whatever_redis_clock_says(scene: Scene) -> None:
    scene.enqueue("normal", "j")
    [claim] = (await scene.anna.claim(1, NO_CAP, 0))[1]
    await scene.step_clock(-HOUR)
    for _ in range(3):
        before = await scene.score(claim)
        assert await scene.anna.renew([claim]) == set()
        assert await scene.score(claim) > before


async def test_after_a_stall_or_an_outage_of_redis_the_watch_begins_anew(scene: Scene) -> None:
    """Nobody could renew meanwhile."""
    scene.enqueue("normal", "j")
    await scene.claim(scene.anna, 1)
    assert await scene.watch(scene.boris, LEASE - LOOK) == []
    scene.seconds += LEASE  # no answer for so long
    assert await scene.watch(scene.boris, LEASE - LOOK) == []
    await scene.redis.client_pause(1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await scene.boris.reap()
    await scene.redis.client_unpause()
    assert await scene.watch(scene.boris, LEASE - LOOK) == []
    assert await scene.watch(scene.boris, LOOK) == ["j"]


async def test_a_lease_renewed_just_before_it_would_be_taken_is_left_alone(scene: Scene) -> None:
    """The renewal comes between the other's look and its taking."""
    scene.enqueue("normal", "j")
    [claim] = (await scene.anna.claim(1, NO_CAP, 0))[1]
    await asyncio.gather(scene.anna.renew([claim]), scene.boris.reap())  # two connections, and the script is known
    await scene.watch(scene.boris, LEASE - LOOK)
    scene.seconds += LOOK
    back, lost = await asyncio.gather(scene.boris.reap(), scene.anna.renew([claim]))
    assert not back
    assert not lost
    assert scene.status("j") == "started"


async def test_of_two_leases_of_one_job_only_the_last_claims_lets_its_request_be_changed(scene: Scene) -> None:
    request = ImageRequest(id="j", user_id=1, chat_id=1, locale="en", operation=Operation.CREATE, prompt="a fox")
    await Admission(scene.redis).admit(request)
    store = RequestStore(scene.redis)
    scene.enqueue("normal", "j")
    [first] = (await scene.anna.claim(1, NO_CAP, 0))[1]
    assert await store.begin_submit("j", held(first), 1)
    assert await store.undo_submit("j", held(first), 0)
    scene.rq.hset("rq:job:j", "status", "queued")  # as by hand, or by a tool: its lease stands
    scene.rq.rpush("rq:queue:normal", "j")
    [second] = (await scene.boris.claim(1, NO_CAP, 0))[1]
    assert set(await scene.redis.zrange(redis_keys.leases("normal"), 0, -1)) == {first.composite, second.composite}
    with pytest.raises(LeaseLostError):
        await store.begin_submit("j", held(first), 1)
    assert await scene.anna.renew([first, second]) == {first.composite}
    assert await store.begin_submit("j", held(second), 1)
    with pytest.raises(LeaseLostError):
        await store.undo_submit("j", held(first), 0)
    assert await scene.watch(scene.boris, LEASE, second) == []  # the first's lease ends, and queues nothing
    assert await scene.queued("normal") == []
    assert await scene.redis.zrange(redis_keys.leases("normal"), 0, -1) == [second.composite]


async def test_a_restarted_worker_takes_its_own_back_at_once(scene: Scene) -> None:
    scene.enqueue("normal", "a", "b")
    scene.enqueue("low", "l")
    await scene.claim(scene.anna, 1)
    assert await scene.claim(scene.boris, 2) == ["b", "l"]
    assert await scene.worker("anna").put_back_own(count_crash=True) == ["a"]
    assert await scene.crashes("a") == 1
    assert scene.status("b") == "started"


async def test_a_job_that_only_waits_is_not_to_blame(scene: Scene) -> None:
    scene.enqueue("normal", "waits", "works")
    waits, _ = (await scene.anna.claim(2, NO_CAP, 0))[1]
    await scene.redis.hset(f"rq:execution:{waits.composite}", AT_WORK_FIELD, 0)
    assert await scene.anna.put_back_own(count_crash=True) == ["waits", "works"]
    assert (await scene.crashes("waits"), await scene.crashes("works")) == (0, 1)


async def test_a_job_whose_execution_left_no_record_is_not_to_blame(scene: Scene) -> None:
    """Redis was away for longer than the record lives."""
    scene.enqueue("normal", "j")
    for _ in range(3):
        [claim] = (await scene.anna.claim(1, NO_CAP, 0))[1]
        await scene.redis.delete(f"rq:execution:{claim.composite}")
        assert await scene.anna.put_back_own(count_crash=True) == ["j"]
    assert await scene.crashes("j") == 0


async def test_after_an_outage_in_which_its_record_expired_an_execution_is_whole_for_rq_again(scene: Scene) -> None:
    scene.enqueue("normal", "j")
    [claim] = (await scene.anna.claim(1, NO_CAP, 0))[1]
    await scene.redis.delete(f"rq:execution:{claim.composite}")
    assert await scene.anna.renew([claim]) == set()
    [execution] = Job.fetch("j", scene.rq, JSONSerializer).get_executions()
    assert (execution.id, execution.worker_name) == (claim.execution_id, "anna")
    await scene.redis.delete(f"rq:execution:{claim.composite}")
    assert await scene.watch(scene.boris, LEASE) == ["j"]
    assert await scene.redis.exists("rq:worker:anna:executions") == 0


async def test_during_a_pause_one_job_probes_at_a_time(scene: Scene) -> None:
    scene.enqueue("normal", "a", "b", "c")
    await scene.redis.set(redis_keys.PAUSED, "{}", ex=pause.TTL)
    assert await scene.anna.claim(3, NO_CAP, 0) == ("paused", [])
    await scene.redis.expire(redis_keys.PAUSED, pause.TTL - pause.PROBE_EVERY)
    assert await scene.claim(scene.anna, 3) == ["a"]
    assert await scene.claim(scene.boris, 3) == []
    await scene.redis.expire(redis_keys.PAUSED, pause.TTL - pause.PROBE_EVERY)
    assert await scene.claim(scene.boris, 3) == ["b"]


async def test_a_job_that_ended_or_was_deleted_is_not_put_back(scene: Scene) -> None:
    scene.enqueue("normal", "cancelled", "deleted")
    await scene.claim(scene.anna, 2)
    await scene.redis.hset("rq:job:cancelled", "status", "canceled")
    await scene.redis.delete("rq:job:deleted")
    assert await scene.anna.put_back_own(count_crash=True) == []
    assert await scene.queued("normal") == []
    assert await scene.redis.exists("rq:job:deleted") == 0


async def test_a_job_half_way_to_a_delayed_retry_is_put_back(scene: Scene) -> None:
    """RQ writes ``scheduled`` before the transaction that schedules."""
    scene.enqueue("normal", "j")
    await scene.claim(scene.anna, 1)
    await scene.redis.hset("rq:job:j", "status", "scheduled")
    assert await scene.anna.put_back_own(count_crash=False) == ["j"]


async def test_rq_cleaning_up_twice_at_a_time_duplicates_nothing(scene: Scene) -> None:
    """``rq info`` and exporters do it, outside any lock; of RQ's own leases it makes two jobs of one."""

    def clean_up() -> None:
        for _ in range(100):
            StartedJobRegistry("normal", scene.rq, serializer=JSONSerializer).cleanup()

    jobs = [f"j{number}" for number in range(20)]
    scene.enqueue("normal", *jobs)
    cleaning = [asyncio.create_task(asyncio.to_thread(clean_up)) for _ in range(2)]
    for _ in range(10):
        await scene.claim(scene.anna, 20)
        assert await scene.watch(scene.boris, LEASE) == jobs
    await asyncio.gather(*cleaning)
    assert await scene.claim(scene.anna, 100) == jobs
    assert await scene.queued("normal") == []
    assert await scene.redis.zcard("rq:wip:normal") == 20
