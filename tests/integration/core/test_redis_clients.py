"""What a real Redis answers, and what becomes of it."""

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.core.redis_clients import passes


async def _error(redis: Redis, answer: str) -> RedisError:
    """Let Redis answer so, and return what redis-py makes of it."""
    with pytest.raises(RedisError) as raised:
        await redis.eval("return redis.error_reply(ARGV[1])", 0, answer)
    return raised.value


@pytest.mark.parametrize(
    "answer",
    [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "MISCONF Errors writing to the AOF file: No space left on device",
        "NOPERM User imagebot has no permissions to run the 'set' command",
        "WRONGPASS invalid username-password pair or user is disabled.",
        "NOAUTH Authentication required.",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    ],
)
async def test_what_redis_says_in_passing_passes(redis: Redis, answer: str) -> None:
    assert passes(await _error(redis, answer))


@pytest.mark.parametrize(
    "answer",
    [
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "ERR user_script:3: Script attempted to access nonexistent global variable 'x'",
        "ERR unknown command 'HSETT', with args beginning with:",
        "BUSYGROUP Consumer Group name already exists",
    ],
)
async def test_a_bug_of_ours_does_not_pass(redis: Redis, answer: str) -> None:
    assert not passes(await _error(redis, answer))
