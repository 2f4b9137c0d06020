"""Webhooks: updates are pushed, in order per person, and again until the bot answers 2xx."""

import asyncio
import contextlib
import itertools
import ssl
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from .journal import Journal
from .settings import Settings
from .updates import Updates

JSON = dict[str, Any]
_RETRY_MOST_S = 60.0


@dataclass
class Webhook:
    """What setWebhook set, and how the delivery goes."""

    url: str
    secret: str = ""
    certificate: str = ""
    """PEM that the server's certificate is checked against."""
    max_connections: int = 40
    error_at: int = 0
    error: str = ""
    attempts: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


def _lane(update: JSON) -> Any:
    """Whose updates wait for each other."""
    content = next(value for name, value in update.items() if name != "update_id")
    return content.get("from", {}).get("id")


class Delivery:
    """Pushes the pending updates to the webhook that is set."""

    def __init__(self, updates: Updates, journal: Journal) -> None:
        self._updates = updates
        self._journal = journal
        self.webhook: Webhook | None = None
        self._pump: asyncio.Task[None] | None = None

    def start(self, webhook: Webhook, settings: Settings) -> None:
        """Push to this webhook from now on."""
        self.stop()
        self.webhook, self._updates.webhook_url = webhook, webhook.url
        self._pump = asyncio.get_running_loop().create_task(self._run(webhook, settings))

    def stop(self) -> None:
        """Push no more; what was not accepted stays pending."""
        if self.webhook:
            for task in self.webhook.tasks:
                task.cancel()
        if self._pump:
            self._pump.cancel()
        self.webhook, self._pump, self._updates.webhook_url = None, None, ""

    async def _run(self, webhook: Webhook, settings: Settings) -> None:
        places = asyncio.Semaphore(webhook.max_connections)
        lanes: dict[Any, asyncio.Lock] = {}
        taken: set[int] = set()  # by identity: a redelivered update has its first number
        connector = aiohttp.TCPConnector(ssl=_tls(webhook, settings), limit=webhook.max_connections)
        limit = aiohttp.ClientTimeout(total=settings.webhook_timeout_s)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            while True:
                self._updates.arrived.clear()
                for update in self._updates.pending:
                    if id(update) in taken:
                        continue
                    taken.add(id(update))
                    lane = lanes.setdefault(_lane(update), asyncio.Lock())
                    push = self._push(session, webhook, settings, update, places, lane)
                    task = asyncio.get_running_loop().create_task(_after(push, taken, id(update)))
                    webhook.tasks.add(task)
                    task.add_done_callback(webhook.tasks.discard)
                await self._updates.arrived.wait()

    async def _push(
        self,
        session: aiohttp.ClientSession,
        webhook: Webhook,
        settings: Settings,
        update: JSON,
        places: asyncio.Semaphore,
        lane: asyncio.Lock,
    ) -> None:
        async with lane:
            for attempt in itertools.count():
                async with places:
                    webhook.attempts += 1
                    self._journal.handed(update)
                    problem = await _try(session, webhook, update)
                if not problem:
                    break
                webhook.error, webhook.error_at = problem, int(time.time())
                await asyncio.sleep(min(_RETRY_MOST_S, settings.webhook_retry_s * 2**attempt))
            with contextlib.suppress(ValueError):
                self._updates.pending.remove(update)


async def _after(push: Coroutine[Any, Any, None], taken: set[int], key: int) -> None:
    try:
        await push
    finally:
        taken.discard(key)


async def _try(session: aiohttp.ClientSession, webhook: Webhook, update: JSON) -> str:
    """Deliver once; give what went wrong, in Telegram's words."""
    headers = {"X-Telegram-Bot-Api-Secret-Token": webhook.secret} if webhook.secret else {}
    try:
        async with session.post(webhook.url, json=update, headers=headers) as answer:
            if 200 <= answer.status < 300:
                return ""
            return f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except TimeoutError:
        return "Read timeout expired"
    except aiohttp.ClientConnectorCertificateError:
        return "SSL error {error:0A000086:SSL routines::certificate verify failed}"
    except aiohttp.ClientConnectorError:
        return "Connection refused"
    except aiohttp.ClientError:
        return "Connection closed"


def _tls(webhook: Webhook, settings: Settings) -> ssl.SSLContext | bool:
    if not settings.webhook_verify:
        return False
    return ssl.create_default_context(cadata=webhook.certificate) if webhook.certificate else True
