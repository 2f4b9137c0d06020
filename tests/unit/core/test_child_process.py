"""Work in a child process: it is bounded, it may die, and the next piece of work does not notice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.core.child_process import ChildFailedError, ChildProcesses

MODULE = "tests.unit.core.stubborn_child"


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
async def children() -> AsyncIterator[ChildProcesses]:
    pool = ChildProcesses(MODULE, size=1, seconds=30, memory=512 << 20, answer_max=1000)
    yield pool
    await pool.aclose()


async def test_a_child_answers_and_stays_for_the_next_piece_of_work(children: ChildProcesses) -> None:
    header, payload = await children(b"abc")
    again, _ = await children(b"def")
    assert payload == b"cba"
    assert header["pid"] == again["pid"]


@pytest.mark.parametrize("work", ["die", "eat", "long header", "long answer"])
async def test_a_child_that_fails_is_replaced(children: ChildProcesses, work: str) -> None:
    before, _ = await children(b"abc")
    with pytest.raises(ChildFailedError):
        await children(work.encode())
    after, payload = await children(b"abc")
    assert payload == b"cba"
    assert after["pid"] != before["pid"]
    assert not lives(before["pid"])


async def test_a_child_that_takes_too_long_is_killed() -> None:
    pool = ChildProcesses(MODULE, size=1, seconds=5, memory=512 << 20, answer_max=1000)
    header, _ = await pool(b"abc")
    with pytest.raises(ChildFailedError, match="time"):
        await pool(b"sleep")
    assert not lives(header["pid"])
    await pool.aclose()


async def test_a_child_that_died_while_it_had_nothing_to_do_is_not_sent_the_next_piece(
    children: ChildProcesses,
) -> None:
    before, _ = await children(b"abc")
    os.kill(before["pid"], signal.SIGKILL)
    for _ in range(1000):
        if not lives(before["pid"]):
            break
        await asyncio.sleep(0.01)
    assert (await children(b"abc"))[1] == b"cba"


async def test_a_child_finishes_its_work_when_all_of_a_unit_are_told_to_stop(children: ChildProcesses) -> None:
    before, _ = await children(b"abc")
    os.kill(before["pid"], signal.SIGTERM)
    after, payload = await children(b"abc")
    assert (after["pid"], payload) == (before["pid"], b"cba")


async def test_what_a_library_prints_is_no_answer(children: ChildProcesses) -> None:
    assert (await children(b"chatter"))[1] == b"rettahc"


async def test_a_child_knows_no_secret(children: ChildProcesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEBOT_TELEGRAM_TOKEN", "secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/somewhere")
    header, _ = await children(b"environment")
    assert set(header["names"]) <= {"PATH", "LANG", "LC_CTYPE"}


async def test_a_caller_that_goes_away_takes_its_child_with_it(children: ChildProcesses) -> None:
    header, _ = await children(b"abc")
    sleeping = asyncio.create_task(children(b"sleep"))
    await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    sleeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sleeping
    assert not lives(header["pid"])
    assert (await children(b"abc"))[1] == b"cba"


async def test_closing_ends_a_child_at_work() -> None:
    pool = ChildProcesses(MODULE, size=2, seconds=3600, memory=512 << 20, answer_max=1000)
    header, _ = await pool(b"abc")
    sleeping = asyncio.create_task(pool(b"sleep"))
    await asyncio.sleep(0.1)
    await pool.aclose()
    with pytest.raises(ChildFailedError, match="died"):
        await sleeping
    assert not lives(header["pid"])


async def test_a_child_that_is_told_to_stop_while_it_starts_does_the_work_that_began() -> None:
    pool = ChildProcesses("tests.unit.core.slow_child", size=1, seconds=30, memory=512 << 20, answer_max=1000)
    assert await pool(b"abc") == ({}, b"cba")
    await pool.aclose()
