"""A lock in Redis that lapses unless its owner renews it."""

from typing import Any

from redis.asyncio import Redis

from app.core.lua_scripts import load


class RedisLock:
    """The lock ``key`` for ``owner``, whose name no other uses; it lapses ``ttl`` seconds after its last renewal.

    It is taken and renewed also while Redis' memory is full.
    """

    def __init__(self, redis: Redis, key: str, owner: str, ttl: float) -> None:
        self._key, self._owner, self._ttl_ms = key, owner, int(ttl * 1000)
        self._acquire = redis.register_script(load(__file__, "acquire_lock"))
        self._release = redis.register_script(load(__file__, "release_lock"))

    async def acquire(self, *, instead_of: str = "") -> str:
        """Take the lock, or renew it, unless another has it; return who has it now.

        ``instead_of``: one who is dead, and has it still.
        """
        holder: Any = await self._acquire(keys=[self._key], args=[self._owner, self._ttl_ms, instead_of])
        return holder.decode() if isinstance(holder, bytes) else str(holder)

    async def release(self) -> None:
        """Give the lock back, if it is ours."""
        await self._release(keys=[self._key], args=[self._owner])
