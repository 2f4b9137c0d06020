"""The scripts in a real Redis."""

from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError

from app.bot.requests.admission import Admission
from app.core.lua_scripts import load
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestState, RequestStore

APP = Path(__file__).parents[3] / "app"


@pytest.mark.parametrize("script", sorted(APP.rglob("lua/*.lua")), ids=lambda script: script.stem)
async def test_redis_takes_every_script(redis: Redis, script: Path) -> None:
    assert await redis.script_load(load(str(script.parents[1] / "any.py"), script.stem))


async def test_only_what_lets_new_work_in_is_refused_while_memory_is_full(redis: Redis) -> None:
    admission, store = Admission(redis), RequestStore(redis)
    await admission.admit(ImageRequest("a", 1, 1, "en", Operation.CREATE))
    await redis.config_set("maxmemory", "1mb")
    try:
        assert await store.cancel("a")
        with pytest.raises(OutOfMemoryError):
            await admission.admit(ImageRequest("b", 1, 1, "en", Operation.CREATE))
    finally:
        await redis.config_set("maxmemory", "0")
    record = await store.load("a")
    assert record
    assert record.state is RequestState.CANCELLED
