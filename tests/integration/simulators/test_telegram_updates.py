"""How updates reach the bot: long polling, webhooks, and never both."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from .conftest import Telegram


def ids(updates: list[dict[str, Any]]) -> list[int]:
    return [update["update_id"] for update in updates]


async def eventually(true: Callable[[], Any]) -> None:
    """Wait in a thread, so that the hook can be called meanwhile."""

    def wait() -> None:
        until = time.monotonic() + 10
        while not true():
            assert time.monotonic() < until
            time.sleep(0.02)

    await asyncio.to_thread(wait)


def polling(telegram: Telegram) -> bool:
    return bool(telegram.simulator.get("/control/updates")["polling"])


def test_an_update_comes_again_until_it_is_acknowledged(telegram: Telegram) -> None:
    for number in range(3):
        telegram.says(7, str(number))
    first, second, third = ids(telegram.updates())
    assert ids(telegram.updates(limit=2)) == [first, second]
    assert ids(telegram.updates(offset=second)) == [second, third]
    assert ids(telegram.updates()) == [second, third]
    assert ids(telegram.updates(offset=-1)) == [third]
    assert ids(telegram.updates(offset=third + 1)) == []


def test_only_wanted_kinds(telegram: Telegram) -> None:
    telegram.updates(allowed_updates=["callback_query"])
    telegram.says(7)
    assert telegram.updates() == []
    telegram.updates(allowed_updates=[])
    telegram.says(7)
    assert len(telegram.updates()) == 1


async def test_a_long_poll_ends_with_the_first_update(telegram: Telegram) -> None:
    poll = asyncio.create_task(asyncio.to_thread(telegram.updates, timeout=10))
    await eventually(lambda: polling(telegram))
    await asyncio.to_thread(telegram.says, 7)
    assert len(await poll) == 1


def test_a_long_poll_ends_empty_when_nothing_comes(telegram: Telegram) -> None:
    assert telegram.updates(timeout=1) == []


async def test_a_second_poll_ends_the_first_with_409(telegram: Telegram) -> None:
    first = asyncio.create_task(asyncio.to_thread(telegram.call, "getUpdates", timeout=10))
    await eventually(lambda: polling(telegram))
    await asyncio.to_thread(telegram.updates)
    body = await first
    assert body["error_code"] == 409
    assert body["description"].startswith("Conflict: terminated by other getUpdates request")


def test_the_same_update_can_be_delivered_again(telegram: Telegram) -> None:
    telegram.says(7)
    (update,) = telegram.updates()
    after = update["update_id"] + 1
    assert telegram.updates(offset=after) == []
    telegram.simulator.post("/control/redeliver", **update)
    assert telegram.updates(offset=after) == [update]
    assert telegram.updates(offset=after) == []


@dataclass
class Hook:
    """A bot's webhook: it keeps what it got and answers as told."""

    url: str = ""
    got: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.got.append((body, request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@asynccontextmanager
async def listening(telegram: Telegram, tls: ssl.SSLContext | None = None) -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook", hook.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    scheme = "https" if tls else "http"
    hook.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}/hook"
    telegram.simulator.post("/control/settings", webhook_retry_s=0.05)
    yield hook
    await asyncio.to_thread(telegram.ok, "deleteWebhook", drop_pending_updates=True)
    await runner.cleanup()


@pytest.fixture
async def hook(telegram: Telegram) -> AsyncIterator[Hook]:
    async with listening(telegram) as hook:
        yield hook


def pending(telegram: Telegram) -> int:
    return int(telegram.ok("getWebhookInfo")["pending_update_count"])


async def test_a_webhook_gets_updates_with_its_secret(telegram: Telegram, hook: Hook) -> None:
    await asyncio.to_thread(telegram.says, 7, "before")
    await asyncio.to_thread(telegram.ok, "setWebhook", url=hook.url, secret_token="s3cret")
    await asyncio.to_thread(telegram.says, 7, "after")
    await eventually(lambda: len(hook.got) == 2 and pending(telegram) == 0)
    assert [(update["message"]["text"], secret) for update, secret in hook.got] == [
        ("before", "s3cret"),
        ("after", "s3cret"),
    ]


async def test_a_refused_update_comes_again_before_the_persons_next(telegram: Telegram, hook: Hook) -> None:
    hook.answers = [500, 503]
    await asyncio.to_thread(telegram.ok, "setWebhook", url=hook.url)
    for text in ("one", "two"):
        await asyncio.to_thread(telegram.says, 7, text)
    await eventually(lambda: len(hook.got) == 4)
    assert [update["message"]["text"] for update, _ in hook.got] == ["one", "one", "one", "two"]
    info = await asyncio.to_thread(telegram.ok, "getWebhookInfo")
    assert info["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"


def self_signed() -> tuple[bytes, bytes]:
    """Make a certificate of 127.0.0.1; give it and its key, both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(here, critical=False)
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM), key.private_bytes(*plain)


async def test_a_certificate_of_ones_own_must_be_given(telegram: Telegram, tmp_path: Path) -> None:
    certificate, key = self_signed()
    pem = tmp_path / "hook.pem"
    pem.write_bytes(certificate + key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    await asyncio.to_thread(telegram.says, 7)
    async with listening(telegram, tls) as hook:
        await asyncio.to_thread(telegram.ok, "setWebhook", url=hook.url)
        await eventually(lambda: "SSL error" in telegram.ok("getWebhookInfo").get("last_error_message", ""))
        assert hook.got == []
        files = {"certificate": certificate}
        await asyncio.to_thread(telegram.ok, "setWebhook", files, url=hook.url)
        await eventually(lambda: len(hook.got) == 1)
        assert (await asyncio.to_thread(telegram.ok, "getWebhookInfo"))["has_custom_certificate"]


async def test_polling_and_webhook_exclude_each_other(telegram: Telegram, hook: Hook) -> None:
    poll = asyncio.create_task(asyncio.to_thread(telegram.call, "getUpdates", timeout=10))
    await eventually(lambda: polling(telegram))
    await asyncio.to_thread(telegram.ok, "setWebhook", url=hook.url)
    assert (await poll)["description"] == "Conflict: terminated by setWebhook request"
    refused = await asyncio.to_thread(telegram.call, "getUpdates")
    assert refused["error_code"] == 409
    assert "can't use getUpdates method while webhook is active" in refused["description"]
    await asyncio.to_thread(telegram.ok, "deleteWebhook")
    assert await asyncio.to_thread(telegram.updates) == []


@pytest.mark.parametrize("wrong", [{"url": "http://"}, {"url": "http://a.test/", "secret_token": "no space"}])
def test_a_wrong_webhook_is_refused(telegram: Telegram, wrong: dict[str, str]) -> None:
    assert telegram.call("setWebhook", **wrong)["error_code"] == 400
    telegram.simulator.post("/control/settings", webhook_https_only=True)
    body = telegram.call("setWebhook", url="http://a.test/")
    assert body["description"] == "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
