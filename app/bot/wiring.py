"""The bot's objects, put together: from settings and connections to the loops that are the bot."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from aiogram import Bot, Dispatcher
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.bot.delivery.batch_summary import BatchSummaries
from app.bot.delivery.delivery import CLAIM_AFTER, Delivery
from app.bot.delivery.eta import EtaEstimator
from app.bot.delivery.fence import Fence
from app.bot.delivery.ledger import DeliveryLedger
from app.bot.delivery.pacing import Pacing
from app.bot.delivery.picture_sender import PictureSender
from app.bot.delivery.recovery import Recovery
from app.bot.delivery.status_board import StatusBoard
from app.bot.delivery.status_refresher import StatusRefresher
from app.bot.delivery.waiting import WaitingList
from app.bot.dispatcher import make_dispatcher
from app.bot.event_reader import EventReader
from app.bot.keyed_executor import KeyedExecutor
from app.bot.requests.allowance import Allowances
from app.bot.requests.cancellation import Cancellation
from app.bot.requests.dialogues import dialogue_storage
from app.bot.requests.needed_pictures import NeededPictures
from app.bot.requests.photos import PICTURES_MAX, PICTURES_WINDOW, Photos
from app.bot.requests.room import Room
from app.bot.requests.sanitiser import Sanitiser
from app.bot.requests.submission import RequestSubmitter
from app.bot.result_cache import ResultCache
from app.bot.settings import BotSettings
from app.bot.telegram import make_bot
from app.bot.texts import Texts
from app.bot.updates.albums import Albums
from app.bot.updates.aside import TellOfAside
from app.bot.updates.inbox import Inbox, RawUpdate
from app.bot.updates.parsing import parse
from app.bot.updates.polling import Polling
from app.bot.updates.standby import Standby
from app.bot.updates.webhook import Webhook
from app.bot.users.alerts import Alerts
from app.bot.users.broadcast import Broadcaster, Broadcasts
from app.bot.users.commands import Menus
from app.bot.users.pause_alerts import PauseAlerts
from app.bot.users.users import Users
from app.core import redis_keys
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.epoch import Epoch, EpochClock, state_file
from app.core.media import MediaStore
from app.core.pause import Pauses
from app.core.rate_limit import RateLimiter
from app.core.redis_clients import CONNECTIONS_MAX, SOCKET_TIMEOUT, queue_redis, rq_redis
from app.core.requests import RequestStore

UPDATES_AT_ONCE: Final = 100
"""Updates in flight at a time."""
ORPHANED_AT_ONCE: Final = 1000
"""Updates in flight that a dead instance has orphaned; many may wait for one."""
ANSWERS_AT_ONCE: Final = 20
"""Answers in flight at a time; Telegram takes about 30 messages a second."""
EDITS_AT_ONCE: Final = 20
"""Edits of status messages in flight at a time."""
DRAIN: Final = 3.0
"""Seconds that what is in flight gets to end when the bot is to stop; the rest is done after the restart."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Connections: Telegram, the queue's Redis (ours and RQ's), the cache's."""

    bot: Bot
    redis: AsyncRedis
    rq: Redis
    cache: AsyncRedis


async def open_clients(settings: BotSettings, stack: AsyncExitStack) -> Clients:
    """Make the clients, which the stack will close; nothing is connected yet."""
    redis = await stack.enter_async_context(queue_redis(settings))
    rq = stack.enter_context(rq_redis(settings))
    cache = AsyncRedis.from_url(
        str(settings.cache_redis_url),
        decode_responses=True,
        socket_timeout=SOCKET_TIMEOUT,
        max_connections=CONNECTIONS_MAX,
        **settings.redis_options(),
    )
    await stack.enter_async_context(cache)
    bot = make_bot(settings)
    stack.push_async_callback(bot.session.close)
    return Clients(bot, redis, rq, cache)


class Application:
    """The bot's parts, each made when another first needs it. ``loops`` are what runs."""

    def __init__(self, settings: BotSettings, clients: Clients) -> None:
        self._settings = settings
        self._clients = clients
        self._bot, self._redis, self._name = clients.bot, clients.redis, settings.bot_name
        self._updates, self._orphaned = KeyedExecutor(UPDATES_AT_ONCE), KeyedExecutor(ORPHANED_AT_ONCE)
        self._answers, self._edits = KeyedExecutor(ANSWERS_AT_ONCE), KeyedExecutor(EDITS_AT_ONCE)

    async def start(self, stack: AsyncExitStack) -> None:
        """Make ready what must be ready before the loops run; the stack ends what needs an end."""
        await self._menus.publish()
        self._bot.session.middleware(self._pacing)
        self._bot.session.middleware(Fence())  # the innermost: nothing waits between its look and the call
        stack.push_async_callback(self._drain)
        stack.push_async_callback(self._sanitiser.aclose)
        await self._sanitiser.warm_up()

    def loops(
        self, ready: Callable[[], None], standing_by: Callable[[str], None]
    ) -> Iterator[Coroutine[Any, Any, None]]:
        """Return all that runs until the bot ends.

        ``ready`` is called when updates come in; ``standing_by`` with the name of the instance that gets them now.
        """
        yield self._inbox.run()
        yield self._inbox.tend()
        yield self._albums.run()
        yield self._delivery.run()
        yield self._recovery.run()
        yield PauseAlerts(self._redis, Pauses(self._redis), self._alerts).run()
        yield self._status_refresher.run()
        yield Broadcaster(self._bot, self._broadcasts, self._users, self._texts, self._name).run()
        yield self._receive(ready, standing_by)
        if self._media.directory:
            yield NeededPictures(self._redis, self._requests, self._waiting, self._media).run()

    async def _drain(self) -> None:
        for together in ([self._edits], [self._updates, self._orphaned, self._answers]):
            await asyncio.gather(*(each.drain(DRAIN) for each in together))

    # -- users -------------------------------------------------------------------------------------------------------

    @cached_property
    def _texts(self) -> Texts:
        return Texts()

    @cached_property
    def _users(self) -> Users:
        return Users(self._redis)

    @cached_property
    def _menus(self) -> Menus:
        return Menus(self._bot, self._texts, self._users, self._settings.admins)

    @cached_property
    def _alerts(self) -> Alerts:
        return Alerts(self._bot, self._redis, self._users, self._texts, self._settings.admins)

    @cached_property
    def _broadcasts(self) -> Broadcasts:
        return Broadcasts(self._redis)

    # -- requests ----------------------------------------------------------------------------------------------------

    @cached_property
    def _epoch(self) -> Epoch:
        return Epoch(state_file(f"{self._name}.json"))

    @cached_property
    def _requests(self) -> RequestStore:
        return RequestStore(self._redis, self._epoch)

    @cached_property
    def _results(self) -> ResultCache:
        return ResultCache(self._clients.cache)

    @cached_property
    def _media(self) -> MediaStore:
        return MediaStore(self._settings.media_url)

    @cached_property
    def _room(self) -> Room:
        disks = [Path("/"), *([self._media.directory] if self._media.directory else [])]
        return Room(self._redis, *disks, alerts=self._alerts)

    @cached_property
    def _sanitiser(self) -> Sanitiser:
        return Sanitiser()

    def _limiter(self, most: int, window: int, **options: Any) -> RateLimiter:
        url, credentials = str(self._settings.cache_redis_url), self._settings.redis_options()
        return RateLimiter(url, most, window, **options, **credentials)

    @cached_property
    def _photos(self) -> Photos:
        limiter = self._limiter(PICTURES_MAX, PICTURES_WINDOW, name="pictures:")
        shown_in = self._ledger.shown_in
        return Photos(self._bot, self._media, self._requests, limiter, self._sanitiser, self._room, shown_in)

    @cached_property
    def _submitter(self) -> RequestSubmitter:
        return RequestSubmitter(
            bot=self._bot,
            redis=self._redis,
            rq=self._clients.rq,
            requests=self._requests,
            ledger=self._ledger,
            limiter=self._limiter(self._settings.rate_limit_max_requests, self._settings.rate_limit_window),
            cache=self._results,
            status_board=self._status_board,
            settings=self._settings,
            alerts=self._alerts,
            room=self._room,
            media=self._media,
            epoch=self._epoch,
        )

    # -- delivery ----------------------------------------------------------------------------------------------------

    @cached_property
    def _pacing(self) -> Pacing:
        return Pacing(self._redis, self._settings.telegram_messages_per_second)

    @cached_property
    def _ledger(self) -> DeliveryLedger:
        return DeliveryLedger(self._redis, self._epoch)

    @cached_property
    def _estimator(self) -> EtaEstimator:
        endpoints = {**DEFAULT_ENDPOINTS, **self._settings.models}
        return EtaEstimator(self._redis, endpoints, self._settings.fal_concurrency)

    @cached_property
    def _status_board(self) -> StatusBoard:
        return StatusBoard(self._bot, self._redis, self._estimator)

    @cached_property
    def _status_refresher(self) -> StatusRefresher:
        return StatusRefresher(self._bot, self._redis, self._estimator, self._texts, self._pacing, self._edits)

    @cached_property
    def _pictures(self) -> PictureSender:
        return PictureSender(self._bot, self._media)

    @cached_property
    def _summaries(self) -> BatchSummaries:
        return BatchSummaries(self._bot, self._redis, self._ledger, self._texts, self._name)

    @cached_property
    def _waiting(self) -> WaitingList:
        return WaitingList(self._redis, state_file(f"{self._name}-waiting.json"))

    @cached_property
    def _delivery(self) -> Delivery:
        return Delivery(
            bot=self._bot,
            rq=self._clients.rq,
            reader=EventReader(self._redis, self._name, claim_after=CLAIM_AFTER),
            requests=self._requests,
            ledger=self._ledger,
            cache=self._results,
            pictures=self._pictures,
            status_board=self._status_board,
            summaries=self._summaries,
            texts=self._texts,
            sender=self._name,
            executor=self._answers,
            answered=self._waiting.answered,
        )

    @cached_property
    def _recovery(self) -> Recovery:
        return Recovery(
            bot=self._bot,
            redis=self._redis,
            clock=EpochClock(self._redis, self._epoch),
            waiting=self._waiting,
            requests=RequestStore(self._redis),
            ledger=self._ledger,
            alerts=self._alerts,
            texts=self._texts,
            name=self._name,
        )

    # -- updates -----------------------------------------------------------------------------------------------------

    @cached_property
    def _albums(self) -> Albums:
        return Albums(self._redis)

    @cached_property
    def _dispatcher(self) -> Dispatcher:
        return make_dispatcher(
            self._texts,
            self._users,
            storage=dialogue_storage(self._redis),
            photos=self._photos,
            albums=self._albums,
            menus=self._menus,
            broadcasts=self._broadcasts,
            redis=self._redis,
            rq=self._clients.rq,
            requests=self._requests,
            settings=self._settings,
            submitter=self._submitter,
            ledger=self._ledger,
            estimator=self._estimator,
            pictures=self._pictures,
            summaries=self._summaries,
            cancellation=Cancellation(self._requests, self._clients.rq),
            allowances=Allowances(self._redis, self._settings),
        )

    @cached_property
    def _inbox(self) -> Inbox:
        tell_of_aside = TellOfAside(self._bot, self._texts, self._users, self._alerts)
        return Inbox(self._redis, self._name, self._handle, self._updates, self._orphaned, tell_of_aside)

    async def _handle(self, update: RawUpdate) -> None:
        await self._dispatcher.feed_update(self._bot, parse(self._bot, update))

    async def _receive(self, ready: Callable[[], None], standing_by: Callable[[str], None]) -> None:
        """Bring updates into the inbox: every instance with a webhook, one at a time when polling."""
        allowed = self._dispatcher.resolve_used_update_types()
        if self._settings.bot_mode == "webhook":
            await Webhook(self._bot, self._inbox, self._settings, allowed).run(ready)
        else:
            polling = Polling(self._bot, self._inbox, allowed)
            standby = Standby(self._redis, redis_keys.POLLER, self._name)
            await standby.run(lambda: polling.run(ready), waiting=standing_by)
