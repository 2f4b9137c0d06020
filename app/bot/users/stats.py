"""How things are going: what /stats tells."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from redis.asyncio import Redis
from rq.queue import Queue
from rq.worker_registration import REDIS_WORKER_KEYS

from app.core import counters, redis_keys
from app.core.endpoints import MICRO
from app.core.errors import FailureReason
from app.core.events import EventType
from app.core.queues import QUEUES
from app.core.requests import RequestStore

WINDOW: Final = 600
"""Seconds that throughput and errors are counted over."""
NOT_OURS: Final = frozenset({FailureReason.POLICY, FailureReason.BAD_INPUT, FailureReason.NO_FACE})
"""Reasons to fail that lie in what was asked for: they are no errors of ours."""
_PAGE: Final = 2000
_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Stats:
    """One look. ``queued`` by queue; ``done`` and ``failed`` (by reason) in the last ``WINDOW``; spend in dollars."""

    queued: Mapping[str, int]
    running: int
    workers: int
    done: int
    failed: Mapping[str, int]
    cache_hits: int
    cache_misses: int
    spend: float
    people: int
    people_today: int

    @property
    def per_minute(self) -> float:
        """Pictures a minute."""
        return self.done / (WINDOW / 60)

    @property
    def error_rate(self) -> float:
        """Share of the requests that ended otherwise than they should have."""
        errors = sum(count for reason, count in self.failed.items() if reason not in NOT_OURS)
        return errors / max(1, self.done + sum(self.failed.values()))

    @property
    def cache_hit_rate(self) -> float:
        """Share of the requests, since counting began, that needed no drawing."""
        return self.cache_hits / max(1, self.cache_hits + self.cache_misses)


async def look(redis: Redis) -> Stats:
    """Look at everything (the queue's Redis; a client with ``decode_responses``)."""
    now = time.time()
    today = time.strftime("%Y-%m-%d", time.gmtime(now))
    async with redis.pipeline(transaction=False) as pipeline:
        for queue in QUEUES:
            pipeline.llen(Queue.redis_queue_namespace_prefix + queue)
            pipeline.zcard(redis_keys.leases(queue))
        pipeline.get(redis_keys.spend(today))
        pipeline.zcard(redis_keys.USERS)
        pipeline.zcount(redis_keys.USERS, now - _DAY, "+inf")
        answers = await pipeline.execute()
    counts, spend, people, people_today = answers[:-3], *answers[-3:]
    workers, (done, failed), counted = await asyncio.gather(
        _workers(redis), _endings(redis, now), counters.read(redis)
    )
    return Stats(
        queued=dict(zip(QUEUES, counts[::2], strict=True)),
        running=sum(counts[1::2]),
        workers=workers,
        done=done,
        failed=failed,
        cache_hits=counted.get(counters.Counter.CACHE_HITS, 0),
        cache_misses=counted.get(counters.Counter.CACHE_MISSES, 0),
        spend=int(spend or 0) / MICRO,
        people=people,
        people_today=people_today,
    )


async def _workers(redis: Redis) -> int:
    """Count the workers whose record lives: one that died stays in RQ's set until it is cleaned."""
    keys = cast(set[str], await cast(Any, redis.smembers(REDIS_WORKER_KEYS)))
    return int(await redis.exists(*keys)) if keys else 0


async def _endings(redis: Redis, now: float) -> tuple[int, Mapping[str, int]]:
    """Count what ended in the last ``WINDOW`` seconds: well, and badly by reason."""
    done, failed = 0, list[str]()
    position = f"{int((now - WINDOW) * 1000)}-0"
    while entries := cast(
        list[tuple[str, dict[str, str]]], await redis.xrange(redis_keys.EVENTS, position, "+", _PAGE)
    ):
        for _, event in entries:
            done += event.get("type") == EventType.DONE
            if event.get("type") == EventType.FAILED:
                failed.append(event["request_id"])
        position = f"({entries[-1][0]}"
    return done, Counter(await RequestStore(redis).reasons(failed))
