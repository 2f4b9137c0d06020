"""Connections to the webhook that say nothing, or never end what they say: closed, quietly, and nothing is kept."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from teremok import MockBot

from app.bot.keyed_executor import KeyedExecutor
from app.bot.settings import BotSettings
from app.bot.updates import webhook
from app.bot.updates.inbox import Inbox, RawUpdate
from app.bot.updates.webhook import Webhook
from app.core import redis_keys
from tests.hostile.webhook_requests import HALVES, REFUSED, SECRET, request
from tests.integration.bot.harness import TOKEN


@pytest.fixture
async def address(redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """Where a webhook listens that is as patient as a test can be."""
    monkeypatch.setattr(webhook, "IDLE", 0.5)
    monkeypatch.setattr(webhook, "BODY_WAIT", 0.5)

    async def handle(update: RawUpdate) -> None:
        raise AssertionError(f"handled: {update}")

    path, working = tmp_path / "webhook.sock", asyncio.Event()
    settings = BotSettings(
        telegram_token=TOKEN, bot_mode="webhook", webhook_url="https://bot.example/telegram",
        webhook_listen=f"unix:{path}", webhook_secret=SECRET,
    )  # fmt: skip
    bot = MockBot()
    serving = asyncio.create_task(
        Webhook(bot, Inbox(redis, "imagebot@1", handle, KeyedExecutor(1)), settings, []).run(working.set)
    )
    await working.wait()
    yield path
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def push(address: Path, update: RawUpdate) -> bytes:
    """Send an update as Caddy does; return the first line of the answer."""
    reader, writer = await asyncio.open_unix_connection(address)
    writer.write(request(json.dumps(update).encode()))
    line = await reader.readline()
    writer.close()
    return line


@pytest.mark.parametrize("half", list(HALVES))
async def test_what_is_never_ended_is_closed(address: Path, redis: Redis, half: str) -> None:
    connections = [await asyncio.open_unix_connection(address) for _ in range(50)]
    for _, writer in connections:
        writer.write(HALVES[half])
    for reader, writer in connections:
        assert (await reader.read()).partition(b"\r\n")[0] in {b"", b"HTTP/1.1 408 Request Timeout"}
        writer.close()
    assert await push(address, {"update_id": 8}) == b"HTTP/1.1 200 OK\r\n"
    assert await redis.exists(redis_keys.received_update(7)) == 0


@pytest.mark.parametrize("case", list(REFUSED))
async def test_what_is_refused_is_closed_quietly_and_not_kept(
    address: Path, redis: Redis, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_unix_connection(address, limit=1 << 22)
    with suppress(ConnectionError):  # it may be closed before all is written
        writer.write(REFUSED[case]())
        await writer.drain()
        first = (await reader.read()).partition(b"\r\n")[0]
        assert first == b"" or 400 <= int(first.split()[1]) < 500, first
    writer.close()
    assert await push(address, {"update_id": 8}) == b"HTTP/1.1 200 OK\r\n"
    assert await redis.xlen(redis_keys.INBOX) == 1
    assert [record.message for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []


@pytest.mark.parametrize("half", list(HALVES))
async def test_who_hangs_up_in_the_middle_leaves_no_traceback(
    address: Path, half: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        _, writer = await asyncio.open_unix_connection(address)
        writer.write(HALVES[half])
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert await push(address, {"update_id": 8}) == b"HTTP/1.1 200 OK\r\n"
    assert [record.message for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []
