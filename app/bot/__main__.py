"""The bot's process: ``python -m app.bot``."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from redis.exceptions import RedisError

from app.bot import wiring
from app.bot.settings import BotSettings
from app.bot.tasks import end
from app.core import logs
from app.core.backoff import Backoff
from app.core.errors import ConfigurationError
from app.core.sd_notify import notify, watchdog_interval
from app.core.settings import EXIT_CONFIG

GC_THRESHOLDS: Final = (20_000, 20, 20)
"""Python's own (700, 10, 10) take a tenth of the time; little of what an update leaves behind is a cycle."""
logger = logging.getLogger("app.bot")


async def run(settings: BotSettings, stack: AsyncExitStack) -> None:
    """Be the bot until cancelled; whatever is to be ended after that, and in which order, is put on the stack.

    Raises:
        ConfigurationError: Telegram does not know the token.
    """
    tasks = [asyncio.create_task(_feed_watchdog())]
    stack.push_async_callback(end, tasks)
    clients = await wiring.open_clients(settings, stack)
    await _wait_for("Redis (queue)", clients.redis.ping)
    await _wait_for("Telegram", partial(_greet, clients.bot))
    application = wiring.Application(settings, clients)
    await application.start(stack)
    tasks += [asyncio.create_task(loop) for loop in application.loops(_tell_ready, _tell_standing_by)]
    stack.push_async_callback(end, tasks)  # before what is in flight is drained, so that nothing new comes
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked through while people wait
    gc.set_threshold(*GC_THRESHOLDS)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _greet(bot: Bot) -> None:
    try:
        me = await bot.me()
    except (TelegramUnauthorizedError, TelegramNotFound) as error:
        raise ConfigurationError(f"IMAGEBOT_TELEGRAM_TOKEN: Telegram does not know it ({error.message})") from None
    logger.info("I am @%s", me.username)


async def _wait_for(service: str, look: Callable[[], Awaitable[object]]) -> None:
    """Look until the service answers.

    Whoever started the bot is told that it is ready as soon as all that it does is wait: a playbook must not hang
    because Telegram is away.
    """
    backoff = Backoff(service)
    while True:
        try:
            await look()
        except (RedisError, TelegramAPIError, ClientDecodeError) as error:
            notify("READY=1")
            await backoff.wait(error)
        else:
            backoff.reset()
            return


def _tell_ready() -> None:
    logger.info("receiving updates")
    notify("READY=1", "STATUS=Working")


def _tell_standing_by(poller: str) -> None:
    logger.info("standing by while %s receives updates", poller)
    notify("READY=1", f"STATUS=RequestStatus by for {poller}")


async def _feed_watchdog() -> None:
    """Show systemd that the event loop turns; a task that broke down ends the process anyway."""
    interval = watchdog_interval()
    while interval:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)


async def serve(settings: BotSettings) -> None:
    """Run the bot until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        bot = asyncio.create_task(run(settings, stack))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([bot, stopped], return_when=asyncio.FIRST_COMPLETED)
        notify("STOPPING=1", "STATUS=Stopping")
        await end([bot, stopped])
        if not bot.cancelled():
            bot.result()


def main() -> int:
    """Return the exit status: 0 when told to stop, ``EXIT_CONFIG`` for a bad setting, else 1."""
    try:
        settings = BotSettings.load()
    except ConfigurationError as error:
        logs.configure("INFO")
        logger.critical("the bot can't start: %s", error)
        return EXIT_CONFIG
    secrets = (settings.telegram_token, settings.redis_password, settings.webhook_secret)
    logs.configure(settings.log_level, [secret.get_secret_value() for secret in secrets])
    try:
        asyncio.run(serve(settings))
    except ConfigurationError as error:
        logger.critical("the bot can't start: %s", error)
        return EXIT_CONFIG
    except Exception:
        logger.exception("the bot broke down")
        return 1
    logger.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
