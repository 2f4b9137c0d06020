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

from app.bot.lanes import Lanes
from app.bot.receiving import webhook
from app.bot.receiving.inbox import Inbox, RawUpdate
from app.bot.receiving.webhook import SECRET_HEADER, Webhook
from app.bot.settings import BotSettings
from app.core import redis_keys
from tests.integration.bot.harness import TOKEN

SECRET = "a-secret-of-webhook-tests"
START = b"POST /telegram HTTP/1.1\r\nHost: bot\r\n"
HEADERS = START + f"{SECRET_HEADER}: {SECRET}\r\nContent-Length: 100\r\n\r\n".encode()
HALVES = {
    "nothing": b"",
    "half a line": START[:9],
    "half of the headers": START + b"X-Long: ",
    "headers without a body": HEADERS,
    "half of the body": HEADERS + b'{"update_id": 7,',
}


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
        Webhook(bot, Inbox(redis, "imagebot@1", handle, Lanes(1)), settings, []).run(working.set)
    )
    await working.wait()
    yield path
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


async def push(address: Path, update: RawUpdate) -> bytes:
    """Send an update as Caddy does; return the first line of the answer."""
    reader, writer = await asyncio.open_unix_connection(address)
    body = json.dumps(update).encode()
    secret = f"{SECRET_HEADER}: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    writer.write(START + secret + body)
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
