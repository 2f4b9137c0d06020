"""The bot's process: ``python -m app.bot``."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from app.bot.commands import Menus
from app.bot.conversations import Conversations
from app.bot.delivery import CLAIM_AFTER, Delivery
from app.bot.dispatcher import make_dispatcher
from app.bot.inbox import Inbox, RawUpdate
from app.bot.intake import Intake
from app.bot.lanes import Lanes
from app.bot.outage import Outage
from app.bot.polling import Polling
from app.bot.settings import BotSettings
from app.bot.tasks import end
from app.bot.telegram import make_bot
from app.bot.texts import Texts
from app.bot.users import Users
from app.core import logs
from app.core.errors import ConfigurationError
from app.core.events import EventReader
from app.core.media import MediaStore
from app.core.rate_limit import RateLimiter
from app.core.redis_clients import SOCKET_TIMEOUT, queue_redis, rq_redis
from app.core.requests import RequestStore
from app.core.sd_notify import notify, watchdog_interval
from app.core.settings import EXIT_CONFIG

UPDATES_AT_ONCE: Final = 100
"""Updates in hand at a time."""
ANSWERS_AT_ONCE: Final = 20
"""Answers in hand at a time; Telegram takes about 30 messages a second."""
DRAIN: Final = 3.0
"""Seconds that what is in hand gets to end when the bot is told to stop; what does not is done after the restart."""

logger = logging.getLogger("app.bot")


async def run(settings: BotSettings, stack: AsyncExitStack) -> None:
    """Be the bot until cancelled; whatever is to be ended after that, and in which order, is put on the stack.

    Raises:
        ConfigurationError: Telegram does not know the token.
    """
    tasks = [asyncio.create_task(_feed_watchdog())]
    stack.push_async_callback(end, tasks)
    redis = await stack.enter_async_context(queue_redis(settings))
    rq = stack.enter_context(rq_redis(settings))
    cache_url, credentials = str(settings.cache_redis_url), settings.redis_options()
    cache = await stack.enter_async_context(
        AsyncRedis.from_url(cache_url, socket_timeout=SOCKET_TIMEOUT, **credentials)
    )
    bot = make_bot(settings)
    stack.push_async_callback(bot.session.close)
    await _wait_for("Redis (queue)", redis.ping)
    await _wait_for("Redis (cache)", cache.ping)
    await _wait_for("Telegram", partial(_greet, bot))
    texts = Texts()
    await bot.delete_webhook(drop_pending_updates=False)  # left from another mode, it would forbid polling
    users = Users(redis)
    menus = Menus(bot, texts, users, settings.admins)
    await menus.publish()

    requests, conversations = RequestStore(redis), Conversations(redis)
    limiter = RateLimiter(cache_url, settings.rate_limit_max_requests, settings.rate_limit_window, **credentials)
    updates, answers = Lanes(UPDATES_AT_ONCE), Lanes(ANSWERS_AT_ONCE)
    stack.push_async_callback(_drain, updates, answers)
    delivery = Delivery(
        bot,
        EventReader(redis, settings.bot_name, claim_after=CLAIM_AFTER),
        requests,
        conversations,
        MediaStore(settings.media_url),
        texts,
        settings.bot_name,
        answers,
    )
    dispatcher = make_dispatcher(
        texts,
        users,
        menus=menus,
        settings=settings,
        intake=Intake(redis, rq, requests, conversations, limiter),
        conversations=conversations,
        delivery=delivery,
    )

    async def handle(update: RawUpdate) -> None:
        await dispatcher.feed_raw_update(bot, update)

    inbox = Inbox(redis, settings.bot_name, handle, updates)
    polling = Polling(bot, inbox, handle, dispatcher.resolve_used_update_types())
    readers = [inbox.run(), delivery.run(), polling.run(_tell_ready)]
    tasks += [asyncio.create_task(reader) for reader in readers]
    stack.push_async_callback(end, tasks)  # before the lanes are drained, so that nothing new comes
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
    outage = Outage(service)
    while True:
        try:
            await look()
        except (RedisError, TelegramAPIError, ClientDecodeError) as error:
            notify("READY=1")
            await outage.pause(error)
        else:
            outage.over()
            return


def _tell_ready() -> None:
    logger.info("receiving updates")
    notify("READY=1", "STATUS=Working")


async def _feed_watchdog() -> None:
    """Show systemd that the event loop turns; a task that broke down ends the process anyway."""
    interval = watchdog_interval()
    while interval:
        notify("WATCHDOG=1")
        await asyncio.sleep(interval)


async def _drain(*lanes: Lanes) -> None:
    await asyncio.gather(*(each.drain(DRAIN) for each in lanes))


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
    logs.configure(
        settings.log_level, [settings.telegram_token.get_secret_value(), settings.redis_password.get_secret_value()]
    )
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
