"""Whether there is room for more, by what Redis and the disks tell."""

import asyncio
import os
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from app.bot.requests.room import Room, free_share
from app.bot.users.alerts import Alert
from tests.integration.bot.delivery_harness import Told

PICTURES, ROOT = Path("/pictures"), Path("/")


class Memory:
    """A Redis that tells of its memory."""

    def __init__(self, used: int, most: int) -> None:
        self.used, self.most, self.asked = used, most, 0

    async def info(self, section: str) -> dict[str, Any]:
        self.asked += 1
        return {"used_memory": self.used, "maxmemory": self.most}


def room(memory: Memory, *disks: Path, **shares: Any) -> Room:
    return Room(cast(Redis, memory), *disks, **shares)


@pytest.mark.parametrize(("used", "most", "is_lacking"), [(84, 100, False), (85, 100, True), (10**9, 0, False)])
async def test_memory_must_not_be_nearly_full(used: int, most: int, is_lacking: bool) -> None:
    assert bool(await room(Memory(used << 20, most << 20)).lack()) == is_lacking


@pytest.mark.parametrize(("share", "is_lacking"), [(0.11, False), (0.09, True)])
async def test_no_disk_must_be_nearly_full(share: float, is_lacking: bool) -> None:
    lack = await room(Memory(1, 0), ROOT, PICTURES, free=lambda path: share if path == PICTURES else 1.0).lack()
    assert ("/pictures" in lack) == is_lacking


async def test_one_look_serves_many_questions() -> None:
    memory = Memory(1, 100)
    asked = room(memory)
    assert [await asked.lack() for _ in range(50)] == [""] * 50
    assert memory.asked == 1


async def test_where_there_was_no_room_the_next_question_looks_anew() -> None:
    memory = Memory(90, 100)
    asked = room(memory)
    assert await asked.lack()
    memory.used = 1
    assert not await asked.lack()


async def test_many_may_ask_at_once() -> None:
    asked = room(Memory(1, 100), ROOT, PICTURES, free=lambda _path: 0.04)
    assert all(await asyncio.gather(*(asked.lack() for _ in range(20))))


async def test_a_server_of_pictures_that_stands_still_is_asked_once_and_holds_nobody_up() -> None:
    gone, asked = threading.Event(), 0

    def free(_path: Path) -> float:
        nonlocal asked
        asked += 1
        gone.wait()
        return 0.01

    waits = room(Memory(1, 0), PICTURES, free=free, fresh=0)
    try:
        for _ in range(3):
            assert await waits.lack() == ""
        assert asked == 1
    finally:
        gone.set()
    while not await waits.lack():
        pass


async def test_what_cannot_be_looked_at_lacks_nothing() -> None:
    assert await room(Memory(1, 0), Path("/there/is/no/such/place")).lack() == ""


def test_what_is_free_is_counted_as_df_does() -> None:
    columns = subprocess.run(["df", "--output=pcent", "/"], text=True, capture_output=True, check=True).stdout.split()
    assert free_share(ROOT) == pytest.approx(1 - int(columns[-1].rstrip("%")) / 100, abs=0.02)


def test_blocks_that_are_kept_for_redis_are_neither_free_nor_used(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_blocks=100, f_bfree=70, f_bavail=45)  # 25 are kept
    monkeypatch.setattr(os, "statvfs", lambda _path: disk)
    assert free_share(ROOT) == 45 / 75


async def test_admins_hear_of_it() -> None:
    alerts, memory = Told(), Memory(1, 100)
    asked = Room(cast(Redis, memory), fresh=0, alerts=alerts)
    assert not await asked.is_lacking()
    assert alerts.told == []
    memory.used = 90
    assert await asked.is_lacking()
    assert alerts.told == [Alert.NO_ROOM]
