"""Heals what a bug or a hand left behind: an open request that is in nobody's hands.

A request that has not ended stands in a queue, in a schedule or in a lease, or it waits for another's result. One
that does not, sweep after sweep for ``HEAL_AFTER`` seconds, is queued again, or ended with a sentence if that has not
helped. Crashes of bot, worker or Redis leave nothing behind, so whatever is healed here is worth a look: each is
logged, and counted in ``redis_keys.COUNTERS``.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast

from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.registry import CanceledJobRegistry, FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry

from app.core import queues, redis_keys
from app.core.errors import FailureReason
from app.core.redis_clients import check_cancelled, passes, script
from app.core.requests import RequestState, RequestStore
from app.worker.threads import in_thread

log = logging.getLogger(__name__)

SWEEP_EVERY: Final = 5.0
"""Seconds between two sweeps, by whichever worker comes first."""
HEAL_AFTER: Final = 30.0
"""Seconds for which a request must be in nobody's hands: the bot may just be between its record and its job."""
COMPARE_EVERY: Final = 600.0
"""Seconds between two comparisons of everybody's open requests with those of each person, which walk all keys."""
HEALS_MAX: Final = 2
"""How often a request is queued again before it is ended."""
REQUEUED, ENDED, FORGOTTEN = "healed_requeued", "healed_ended", "healed_forgotten"
"""Counters of what was healed."""

_STATES: Final = ", ".join(f"{state} = {str(state.is_terminal).lower()}" for state in RequestState)

_RECORDS: Final = f"""
local ENDED = {{{_STATES}}}
local function record_of(id) return '{redis_keys.request("")}' .. id end
local function is_record(id) return redis.call('TYPE', record_of(id)).ok == 'hash' end
"""

# KEYS: turn, open requests, suspects, counters; then of each queue: list, lease set, schedule, registries of
# finished, failed and cancelled jobs. ARGV: ms between sweeps, seconds of suspicion, heals of one request, then the
# queues' names.
# Returns what is to be done, or was: pairs of a request's id and `enqueue` (its job is to be made anew), `requeued`,
# `end` or `forgotten` (its record is gone).
_SWEEP: Final = (
    _RECORDS
    + f"""
if not redis.call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return {{}} end
local PER_QUEUE = 6
local at, healed = tonumber(redis.call('TIME')[1]), {{}}
local function tell(id, what, counter)
  redis.call('ZREM', KEYS[3], id)
  if counter then redis.call('HINCRBY', KEYS[4], counter, 1) end
  healed[#healed + 1] = {{id, what}}
end

local in_hand, number_of = {{}}, {{}}
for i, name in ipairs({{unpack(ARGV, 4)}}) do
  local first = 5 + (i - 1) * PER_QUEUE
  number_of[name] = first
  for _, id in ipairs(redis.call('LRANGE', KEYS[first], 0, -1)) do in_hand[id] = true end
  for _, composite in ipairs(redis.call('ZRANGE', KEYS[first + 1], 0, -1)) do
    in_hand[string.match(composite, '^(.+):[^:]+$') or composite] = true
  end
  for _, id in ipairs(redis.call('ZRANGE', KEYS[first + 2], 0, -1)) do in_hand[id] = true end
end

local function is_open(id)
  local state = is_record(id) and redis.call('HGET', record_of(id), 'state')
  return state and not ENDED[state]
end

local function heal(id, state, leader, request)
  local known, wish = pcall(cjson.decode, request or '')
  local first = known and type(wish) == 'table' and number_of[wish.queue or '']
  if leader then
    redis.call('LREM', '{redis_keys.joined("")}' .. leader, 0, id)
    redis.call('HDEL', record_of(id), 'joined_to')
  end
  if ENDED[state] == nil or leader then -- its state is none, or was that of who made its picture
    local fal, submits = unpack(redis.call('HMGET', record_of(id), 'fal', 'submits'))
    local asked = fal and fal ~= '' and 'submitted' or (tonumber(submits or 0) or 0) > 0 and 'submitting'
    redis.call('HSET', record_of(id), 'state', asked or 'queued')
  end
  redis.call('HSET', record_of(id), 'id', id)
  if not first or redis.call('HINCRBY', record_of(id), 'heals', 1) > tonumber(ARGV[3]) then
    return tell(id, 'end', '{ENDED}')
  end
  local job = 'rq:job:' .. id
  for i = 3, PER_QUEUE - 1 do redis.call('ZREM', KEYS[first + i], id) end
  if redis.call('HEXISTS', job, 'data') == 0 then
    redis.call('DEL', job)
    return tell(id, 'enqueue', '{REQUEUED}')
  end
  redis.call('HSET', job, 'status', 'queued')
  redis.call('HDEL', job, 'ended_at')
  redis.call('PERSIST', job)
  redis.call('LPUSH', KEYS[first], id)
  tell(id, 'requeued', '{REQUEUED}')
end

local suspected = {{}}
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do suspected[id] = true end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  local suspect = false
  if not in_hand[id] and not is_record(id) then
    redis.call('DEL', record_of(id))
    redis.call('ZREM', KEYS[2], id)
    tell(id, 'forgotten', '{FORGOTTEN}')
  elseif not in_hand[id] then
    local state, leader, request = unpack(redis.call('HMGET', record_of(id), 'state', 'joined_to', 'request'))
    if ENDED[state] then
      redis.call('ZREM', KEYS[2], id) -- ended by the release before, which does not know this set
    elseif not (leader and is_open(leader)) then
      suspect = true
      redis.call('ZADD', KEYS[3], 'NX', at, id)
      if at - redis.call('ZSCORE', KEYS[3], id) >= tonumber(ARGV[2]) then heal(id, state, leader, request) end
    end
  end
  if suspected[id] and not suspect then redis.call('ZREM', KEYS[3], id) end
  suspected[id] = nil
end
for id in pairs(suspected) do redis.call('ZREM', KEYS[3], id) end
return healed
"""
)

# KEYS: a person's open requests, everybody's. The latter is made whole, the former loses what has ended or is gone.
_COMPARE: Final = (
    _RECORDS
    + """
local open = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #open, 2 do
  if not is_record(open[i]) or ENDED[redis.call('HGET', record_of(open[i]), 'state')] then
    redis.call('ZREM', KEYS[1], open[i])
  else
    redis.call('ZADD', KEYS[2], 'NX', open[i + 1], open[i])
  end
end
"""
)


@dataclass(slots=True)
class Sweeper:
    """Sweeps for ever. ``redis`` answers text, ``connection`` is RQ's own."""

    redis: Redis
    connection: BlockingRedis
    store: RequestStore
    _sweep: AsyncScript = field(init=False)
    _compare: AsyncScript = field(init=False)

    def __post_init__(self) -> None:
        """Register the script."""
        self._sweep = script(self.redis, _SWEEP)
        self._compare = script(self.redis, _COMPARE)

    async def run(self) -> None:
        """Sweep for ever, whatever happens."""
        while True:
            try:
                await self.sweep()
                await self.compare()  # second: while Redis is full it does not begin
            except RedisError as error:
                if not passes(error):
                    log.exception("the sweep failed")
            except Exception:
                log.exception("the sweep failed")
            check_cancelled()
            await asyncio.sleep(SWEEP_EVERY)

    async def compare(self) -> None:
        """Put right what stands in one list of open requests only, and forget jobs that RQ keeps as cancelled.

        The release before left both: it knew no list of everybody's, and cancelled in RQ's way.
        """
        every = int(COMPARE_EVERY * 1000)
        if not await self.redis.set(redis_keys.SWEEPER_COMPARED, 1, nx=True, px=every):
            return
        for pattern in (redis_keys.open_requests("*"), redis_keys.open_batch("*")):
            async for key in self.redis.scan_iter(pattern, count=1000):
                await self._compare(keys=[key, redis_keys.OPEN_REQUESTS])
        for name in queues.QUEUES:
            registry = CanceledJobRegistry.key_template.format(name)
            while cancelled := cast(list[str], await self.redis.zrange(registry, 0, 999)):
                async with self.redis.pipeline() as pipeline:
                    pipeline.delete(*(Job.redis_job_namespace_prefix + job_id for job_id in cancelled))
                    pipeline.zrem(registry, *cancelled)
                    await pipeline.execute()

    async def sweep(self) -> None:
        """Sweep once, if nobody has done so just now.

        Raises:
            RedisError: Redis did not answer, or has no room.
        """
        keys = [redis_keys.SWEEPER_TURN, redis_keys.OPEN_REQUESTS, redis_keys.SUSPECTS, redis_keys.COUNTERS]
        for name in queues.QUEUES:
            keys += [Queue.redis_queue_namespace_prefix + name, redis_keys.leases(name)]
            keys += [
                registry.key_template.format(name)
                for registry in (ScheduledJobRegistry, FinishedJobRegistry, FailedJobRegistry, CanceledJobRegistry)
            ]
        healed: list[Any] = await self._sweep(
            keys=keys, args=[int(SWEEP_EVERY * 900), HEAL_AFTER, HEALS_MAX, *queues.QUEUES]
        )
        for request_id, what in healed:
            log.error("request %s was in nobody's hands: %s", request_id, what)
            if what == "enqueue":
                await self._enqueue(request_id)
            elif what == "end":
                await self.store.fail(request_id, FailureReason.INTERNAL)

    async def _enqueue(self, request_id: str) -> None:
        if record := await self.store.load(request_id):
            await in_thread(partial(queues.enqueue, self.connection, request_id, record.request.queue))
