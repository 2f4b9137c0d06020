"""The webhook: Telegram pushes updates (through Caddy), and they are answered with 200 once they are in the inbox.

Anything else makes Telegram send the update again. So several instances may serve at once, and none needs to know
of the others: an update that came twice is in the inbox once.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Callable
from typing import Final

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from redis.exceptions import RedisError

from app.bot.settings import BotSettings
from app.bot.updates.inbox import Inbox, RawUpdate
from app.core.backoff import Backoff

SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the header's name
BODY_MAX: Final = 1024 * 1024
"""Bytes of one update; Telegram's are a few kB."""
FINISH: Final = 2.0
"""Seconds that requests in flight get when the bot stops."""
BODY_WAIT: Final = 10.0
"""Seconds in which an update must have come whole."""
IDLE: Final = 150.0
"""Seconds that a connection may say nothing, or not end what it begins to say; Caddy keeps its idle ones for 120."""
UPDATE_ID_MAX: Final = 2**53
"""Telegram's ids have 32 bits today; a number in JSON is exact up to here."""

logger = logging.getLogger(__name__)


class _NoHttp(logging.Filter):
    """Makes one line without what was sent of aiohttp's traceback for a request that is no HTTP."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything else pass."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            logger.info("a request is no HTTP: %s", type(error).__name__)
            return False
        return True


_server_logger = logging.getLogger(f"{__name__}.server")
_server_logger.addFilter(_NoHttp())


class Webhook:
    """Serves on ``webhook_listen`` and has Telegram push to ``webhook_url``."""

    def __init__(self, bot: Bot, inbox: Inbox, settings: BotSettings, allowed_updates: list[str]) -> None:
        self._bot = bot
        self._inbox = inbox
        self._settings = settings
        self._secret = settings.webhook_secret.get_secret_value()
        self._allowed_updates = allowed_updates

    async def run(self, working: Callable[[], None]) -> None:
        """Receive for ever; call ``working`` once Telegram knows where to push."""
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_post("/{path:.*}", self._receive)
        # Telegram does not compress; what claims to be compressed is not unpacked but refused.
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_server_logger,
            shutdown_timeout=FINISH,
            auto_decompress=False,
            keepalive_timeout=IDLE,
        )
        await runner.setup()
        try:
            await self._site(runner).start()
            await self._announce()
            working()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    def _site(self, runner: web.AppRunner) -> web.BaseSite:
        listen = self._settings.webhook_listen
        if listen.startswith("unix:"):
            return web.UnixSite(runner, listen.removeprefix("unix:"))
        host, port = listen.rsplit(":", 1)
        return web.TCPSite(runner, host, int(port))

    async def _announce(self) -> None:
        """Tell Telegram where to push. A name that is not known yet, or a wrong certificate, may be put right."""
        certificate = self._settings.webhook_certificate.encode()
        backoff = Backoff("Telegram (webhook)")
        while True:
            try:
                await self._bot.set_webhook(
                    self._settings.webhook_url,
                    certificate=BufferedInputFile(certificate, "certificate.pem") if certificate else None,
                    secret_token=self._secret,
                    allowed_updates=self._allowed_updates,
                )
            except TelegramBadRequest as error:
                await backoff.wait(error)
            else:
                backoff.reset()
                return

    async def _receive(self, request: web.Request) -> web.Response:
        given = request.headers.get(SECRET_HEADER, "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self._secret.encode()):
            return web.Response(status=403)
        if "Content-Encoding" in request.headers:
            return web.Response(status=415)
        try:
            async with asyncio.timeout(BODY_WAIT):
                update = json.loads(await request.read())
        except TimeoutError:
            return web.Response(status=408)
        except (ValueError, RecursionError, ConnectionResetError):  # the last: nobody is there to read this
            return web.Response(status=400)
        if not isinstance(update, dict) or not _is_update_id(update.get("update_id")):
            return web.Response(status=400)
        return await self._keep(update)

    async def _keep(self, update: RawUpdate) -> web.Response:
        try:
            await self._inbox.receive([update])
        except RedisError:  # the inbox's other loops tell of the outage
            return web.Response(status=503)
        return web.Response()


def _is_update_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= UPDATE_ID_MAX
