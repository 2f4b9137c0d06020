"""The bot's process: ``python -m app.bot``."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final

from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from app.bot.answers.batch_summary import BatchSummaries
from app.bot.answers.conversations import Conversations
from app.bot.answers.delivery import CLAIM_AFTER, Delivery
from app.bot.answers.eta import Forecast
from app.bot.answers.fence import Fence
from app.bot.answers.pacing import Pacing
from app.bot.answers.picture_sender import PictureSender
from app.bot.answers.recovery import Recovery
from app.bot.answers.status_board import StatusBoard
from app.bot.answers.waiting import WaitingList
from app.bot.dispatcher import make_dispatcher
from app.bot.lanes import Lanes
from app.bot.orders.cancellation import Cancellation
from app.bot.orders.dialogues import dialogue_storage
from app.bot.orders.intake import Intake
from app.bot.orders.needed_pictures import NeededPictures
from app.bot.orders.normaliser import Normaliser
from app.bot.orders.photos import PICTURES_MAX, PICTURES_WINDOW, Photos
from app.bot.orders.room import Room
from app.bot.outage import Outage
from app.bot.people.alerts import Alerts
from app.bot.people.broadcast import Broadcaster, Broadcasts
from app.bot.people.commands import Menus
from app.bot.people.pause_alerts import PauseAlerts
from app.bot.people.users import Users
from app.bot.receiving.albums import Albums
from app.bot.receiving.aside import TellOfAside
from app.bot.receiving.inbox import Inbox, RawUpdate
from app.bot.receiving.parsing import parse
from app.bot.receiving.polling import Polling
from app.bot.receiving.standby import Standby
from app.bot.receiving.webhook import Webhook
from app.bot.settings import BotSettings
from app.bot.tasks import end
from app.bot.telegram import make_bot
from app.bot.texts import Texts
from app.core import logs, redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.epoch import Epoch, EpochClock, state_file
from app.core.errors import ConfigurationError
from app.core.events import EventReader
from app.core.media import MediaStore
from app.core.pause import Pauses
from app.core.rate_limit import RateLimiter
from app.core.redis_clients import CONNECTIONS_MAX, SOCKET_TIMEOUT, queue_redis, rq_redis
from app.core.requests import RequestStore
from app.core.result_cache import ResultCache
from app.core.sd_notify import notify, watchdog_interval
from app.core.settings import EXIT_CONFIG

UPDATES_AT_ONCE: Final = 100
"""Updates in hand at a time."""
LEFTOVERS_AT_ONCE: Final = 1000
"""Updates in hand that an instance which died had left over; many may wait for one."""
ANSWERS_AT_ONCE: Final = 20
"""Answers in hand at a time; Telegram takes about 30 messages a second."""
EDITS_AT_ONCE: Final = 20
"""Edits of status messages in hand at a time."""
GC_THRESHOLDS: Final = (20_000, 20, 20)
"""Python's own (700, 10, 10) take a tenth of the time; little of what an update leaves behind is a cycle."""
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
    cache_client = AsyncRedis.from_url(
        cache_url,
        decode_responses=True,
        socket_timeout=SOCKET_TIMEOUT,
        max_connections=CONNECTIONS_MAX,
        **credentials,
    )
    cache = await stack.enter_async_context(cache_client)
    bot = make_bot(settings)
    stack.push_async_callback(bot.session.close)
    await _wait_for("Redis (queue)", redis.ping)
    await _wait_for("Telegram", partial(_greet, bot))
    texts = Texts()
    users = Users(redis)
    menus = Menus(bot, texts, users, settings.admins)
    await menus.publish()

    epoch = Epoch(state_file(f"{settings.bot_name}.json"))
    requests, conversations = RequestStore(redis, epoch), Conversations(redis, epoch)
    limiter = RateLimiter(cache_url, settings.rate_limit_max_requests, settings.rate_limit_window, **credentials)
    picture_limiter = RateLimiter(cache_url, PICTURES_MAX, PICTURES_WINDOW, name="pictures:", **credentials)
    updates, leftovers, answers = Lanes(UPDATES_AT_ONCE), Lanes(LEFTOVERS_AT_ONCE), Lanes(ANSWERS_AT_ONCE)
    stack.push_async_callback(_drain, updates, leftovers, answers)
    endpoints = {**DEFAULT_ENDPOINTS, **settings.models}
    pacing = Pacing(redis, settings.telegram_messages_per_second)
    bot.session.middleware(pacing)
    bot.session.middleware(Fence())  # the innermost: nothing waits between its look and the call
    forecast = Forecast(redis, endpoints, settings.fal_concurrency)
    edits = Lanes(EDITS_AT_ONCE)
    stack.push_async_callback(_drain, edits)
    status_board = StatusBoard(bot, redis, forecast, texts, pacing, edits)
    alerts = Alerts(bot, redis, users, texts, settings.admins)
    media, results = MediaStore(settings.media_url), ResultCache(cache)
    pictures = PictureSender(bot, media)
    summaries = BatchSummaries(bot, redis, conversations, texts, settings.bot_name)
    waiting = WaitingList(redis, state_file(f"{settings.bot_name}-waiting.json"))
    delivery = Delivery(
        bot=bot,
        rq=rq,
        reader=EventReader(redis, settings.bot_name, claim_after=CLAIM_AFTER),
        requests=requests,
        conversations=conversations,
        cache=results,
        pictures=pictures,
        status_board=status_board,
        summaries=summaries,
        texts=texts,
        sender=settings.bot_name,
        lanes=answers,
        answered=waiting.answered,
    )
    recovery = Recovery(
        bot=bot,
        redis=redis,
        clock=EpochClock(redis, epoch),
        waiting=waiting,
        requests=RequestStore(redis),
        conversations=conversations,
        alerts=alerts,
        texts=texts,
        name=settings.bot_name,
    )
    room = Room(redis, Path("/"), *([media.directory] if media.directory else []), alerts=alerts)
    albums = Albums(redis)
    normaliser = Normaliser()
    stack.push_async_callback(normaliser.aclose)
    await normaliser.warm_up()
    broadcasts = Broadcasts(redis)
    broadcaster = Broadcaster(bot, broadcasts, users, texts, settings.bot_name)
    dispatcher = make_dispatcher(
        texts,
        users,
        storage=dialogue_storage(redis),
        photos=Photos(bot, media, requests, picture_limiter, normaliser, room),
        albums=albums,
        menus=menus,
        broadcasts=broadcasts,
        redis=redis,
        rq=rq,
        requests=requests,
        settings=settings,
        intake=Intake(
            bot,
            redis,
            rq,
            requests,
            conversations,
            limiter,
            results,
            status_board,
            settings,
            alerts,
            room,
            media,
            epoch,
        ),
        conversations=conversations,
        forecast=forecast,
        pictures=pictures,
        summaries=summaries,
        cancellation=Cancellation(requests, rq),
    )

    async def handle(update: RawUpdate) -> None:
        await dispatcher.feed_update(bot, parse(bot, update))

    tell_of_aside = TellOfAside(bot, texts, users, alerts)
    inbox = Inbox(redis, settings.bot_name, handle, updates, leftovers, tell_of_aside)
    receiving = _receive(settings, bot, redis, inbox, dispatcher.resolve_used_update_types())
    readers = [
        inbox.run(),
        inbox.tend(),
        albums.run(),
        delivery.run(),
        recovery.run(),
        PauseAlerts(redis, Pauses(redis), alerts).run(),
        status_board.run(),
        broadcaster.run(),
        receiving,
    ]
    if media.directory:
        readers.append(NeededPictures(redis, requests, waiting, media).run())
    tasks += [asyncio.create_task(reader) for reader in readers]
    stack.push_async_callback(end, tasks)  # before the lanes are drained, so that nothing new comes
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked through while people wait
    gc.set_threshold(*GC_THRESHOLDS)
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()


async def _receive(
    settings: BotSettings, bot: Bot, redis: AsyncRedis, inbox: Inbox, allowed_updates: list[str]
) -> None:
    """Bring updates into the inbox: every instance with a webhook, one at a time when polling."""
    if settings.bot_mode == "webhook":
        await Webhook(bot, inbox, settings, allowed_updates).run(_tell_ready)
    else:
        polling = Polling(bot, inbox, allowed_updates)
        await Standby(redis, redis_keys.POLLER, settings.bot_name).run(
            lambda: polling.run(_tell_ready), waiting=_tell_standing_by
        )


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


def _tell_standing_by(poller: str) -> None:
    logger.info("standing by while %s receives updates", poller)
    notify("READY=1", f"STATUS=Standing by for {poller}")


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
