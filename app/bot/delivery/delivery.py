"""Results come home: from the stream of events to the person who asked.

A picture that Telegram does not have yet is delivered in two steps: a short text, which is noted, and then the edit
that turns it into the picture. The edit can be repeated after any crash without anybody seeing it. Several pictures
come as an album of blanks, which is noted, and each is turned into its picture; one message below has their buttons.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import obstore.exceptions
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.methods import DeleteMessage, DeleteMessages, EditMessageText, SendMessage
from aiogram.types import InlineKeyboardMarkup, Message, ReplyParameters
from redis import Redis
from redis.exceptions import RedisError

from app.bot.delivery.batch_summary import BatchSummaries
from app.bot.delivery.excerpts import excerpt
from app.bot.delivery.fence import ClaimLostError
from app.bot.delivery.keyboards import album_keyboard, failure_keyboard, result_keyboard
from app.bot.delivery.ledger import ENDED, HELD, DeliveryLedger, LedgerEntry
from app.bot.delivery.picture_sender import Frame, NotAPhotoError, PictureSender
from app.bot.delivery.status_board import StatusBoard
from app.bot.event_reader import EventReader
from app.bot.keyed_executor import KeyedExecutor
from app.bot.result_cache import Result, ResultCache
from app.bot.telegram import is_gone, quietly, says_unchanged
from app.bot.texts import Texts, Translator
from app.core import queues
from app.core.backoff import Backoff
from app.core.errors import FailureReason
from app.core.events import Event, EventType
from app.core.redis_clients import passes
from app.core.requests import RequestRecord, RequestStore

ATTEMPTS: Final = 5
"""How often an answer that fails for no known reason is tried; then the person is told that it failed."""

CLAIM_AFTER: Final = 6.0
"""Seconds after which an event that was not settled is tried again, here or by another instance."""

PROMPT_SHOWN: Final = 200
"""Characters of a prompt that stand by the answer to one of many."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Reads events as ``sender`` and answers people."""

    bot: Bot
    rq: Redis
    reader: EventReader
    requests: RequestStore
    ledger: DeliveryLedger
    cache: ResultCache
    pictures: PictureSender
    status_board: StatusBoard
    summaries: BatchSummaries
    texts: Texts
    sender: str
    executor: KeyedExecutor
    answered: Callable[[Iterable[str]], None] = lambda _: None
    """Hears of each request that is answered."""
    _in_flight: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Deliver for ever: in order within a request or batch, side by side across them."""
        backoff = Backoff("Redis (events)")
        while True:
            try:
                await self.reader.open()
                while True:
                    async for event in self.reader.read():
                        if event.entry_id not in self._in_flight:  # a slow one is claimed again, by ourselves too
                            self._in_flight.add(event.entry_id)
                            await self.executor.put(_key(event), partial(self._settle, event))
                    backoff.reset()
            except RedisError as error:
                await backoff.wait(error)

    async def _settle(self, event: Event) -> None:
        """Handle an event and acknowledge it. If that fails it stays in the stream and is tried again."""
        try:
            if await self.handle(event):
                await self.reader.acknowledge(event)
        except Exception as error:
            if passes(error) or isinstance(error, (obstore.exceptions.BaseError, OSError)):
                said = f"{type(error).__name__}: {error}"
                logger.warning("request %s: %s waits: %s", event.request_id, event.type, said)
            else:
                logger.exception("request %s: %s could not be told, trying again", event.request_id, event.type)
        finally:
            self._in_flight.discard(event.entry_id)

    async def handle(self, event: Event) -> bool:
        """Tell a person what happened; return False if another instance is just doing it."""
        record = await self.requests.load(event.request_id)
        if record is None:
            logger.warning("request %s: nothing is known of it any more", event.request_id)
            return True
        if event.type is EventType.QUEUED:
            await asyncio.to_thread(queues.enqueue, self.rq, event.request_id, record.request.queue)
        if event.type in (EventType.QUEUED, EventType.STARTED):
            await self.status_board.changed(event.request_id)
            return True
        attempt = await self.ledger.claim(event.request_id, self.sender)
        if attempt == HELD:
            return False
        if attempt != ENDED:
            try:
                async with self.ledger.lock(event.request_id, self.sender, attempt):
                    if await self._answer(event.type, record, attempt):
                        await self.ledger.end(event.request_id)
                        await self.requests.mark_notified(event.request_id)
                    else:
                        await self.ledger.miss(event.request_id, record.request.user_id)
                self.answered([event.request_id])
            except ClaimLostError as error:
                logger.warning("%s", error)
                return False
        await self.status_board.remove(event.request_id)
        batch = record.request.batch
        return await self.summaries.mark_notified(batch, event.request_id) if batch else True

    async def _answer(self, event_type: EventType, record: RequestRecord, attempt: int) -> bool:
        """Send the answer, or in the end the news that there is none. An error means: try again later.

        Returns False for a result that waits for its person, who has blocked the bot, to come back.
        """
        entry = await self.ledger.load(record.request.id)
        try:
            if event_type is EventType.DONE:
                await self._send_pictures(record, entry, attempt)
            elif event_type is EventType.FAILED:
                await self._say_failure(record, entry, record.reason or FailureReason.INTERNAL)
            elif not (record.request.batch or record.quietly):  # the summary says how many of a batch were cancelled
                await self._say(record, entry, Translator(self.texts, record.request.locale)("cancelled"))
        except ClaimLostError:
            raise
        except Exception as error:
            if isinstance(error, TelegramAPIError) and is_gone(error):
                logger.info("request %s: nobody there to answer to: %s", record.request.id, error.message)
                return event_type is not EventType.DONE
            if passes(error) or isinstance(error, obstore.exceptions.BaseError):
                raise
            failures = await self.ledger.failed(record.request.id)
            if failures < ATTEMPTS:
                raise
            logger.exception("request %s: gave up answering after %d attempts", record.request.id, failures)
            entry = await self.ledger.load(record.request.id)
            try:
                await self._say_failure(record, entry, FailureReason.INTERNAL)
            except TelegramAPIError as refusal:
                logger.error("request %s: not even that could be said: %s", record.request.id, refusal.message)
        return True

    async def _send_pictures(self, record: RequestRecord, entry: LedgerEntry, attempt: int) -> None:
        """Send what has not been sent yet, and remember Telegram's names for it, here and for whoever asks again."""
        request = record.request
        translate = Translator(self.texts, request.locale)
        known = await self._known(record)
        if request.cache_key and not known:  # from here on nobody pays for it again, whatever becomes of the sending
            await self.cache.put(request.cache_key, Result(record.media, ()))
        entry = await self._begin_album(record, entry, attempt, known)
        file_ids = list(entry.file_ids)
        for number in range(len(file_ids), len(record.media)):
            file_id = known[number] if number < len(known) else ""
            file_ids.append(await self._send_picture(record, entry, attempt, number, file_id))
            entry = replace(entry, place=None)
            await self.ledger.pictures_sent(request.id, file_ids)
        await self.requests.mark_sent(request.id, tuple(file_ids))
        if request.cache_key:
            await self.cache.put(request.cache_key, Result(record.media, tuple(file_ids)))
        if entry.album:
            reply = ReplyParameters(message_id=entry.album[0], allow_sending_without_reply=True)
            keyboard = album_keyboard(record, None, translate)
            text = translate("album-pick-known" if record.known and request.prompt else "album-pick")
            await self.bot(
                SendMessage(chat_id=request.chat_id, text=text, reply_markup=keyboard, reply_parameters=reply)
            )

    async def _begin_album(
        self, record: RequestRecord, entry: LedgerEntry, attempt: int, known: tuple[str, ...]
    ) -> LedgerEntry:
        """Send the album that is, or is to become, the pictures, if they are several and none has been begun with.

        An album that Telegram does not take is none: the pictures come one by one.
        """
        request, count = record.request, len(record.media)
        if count < 2 or entry.album or entry.file_ids or entry.place is not None:
            return entry
        is_whole = len(known) == count and all(known)
        for names in ([known] if is_whole else []) + [("",) * count]:
            try:
                messages = await self.pictures.send_album(self._frame(record, entry, 0), names)
            except TelegramBadRequest as error:
                if is_gone(error):
                    raise
                logger.warning("request %s: not taken as an album: %s", request.id, error.message)
                continue
            album, file_ids = tuple(message.message_id for message in messages), names if all(names) else ()
            try:
                await self.ledger.album_placed(request.id, self.sender, attempt, request.chat_id, album, file_ids)
            except ClaimLostError:  # whoever has taken over does not know of it, so it would stay for ever
                await quietly(self.bot, DeleteMessages(chat_id=request.chat_id, message_ids=list(album)))
                raise
            return replace(entry, album=album, file_ids=file_ids)
        return entry

    async def _send_picture(
        self, record: RequestRecord, entry: LedgerEntry, attempt: int, number: int, file_id: str
    ) -> str:
        """Send a picture, in its place in the album if there is one; return Telegram's name for it."""
        key, frame = record.media[number], self._frame(record, entry, number)
        in_album = entry.album[number] if entry.album else None
        if in_album is not None and entry.place is None:
            try:
                return await self.pictures.replace_in_album(key, replace(frame, keyboard=None), in_album, file_id)
            except NotAPhotoError:
                logger.info("%s: goes outside its album", key)
        elif file_id and entry.place is None:
            return await self.pictures.send(key, frame, file_id)
        placing = _Place(self, record, entry, attempt, entry.place)
        if in_album is not None:
            await placing()  # from here on it has another place, and whoever goes on knows that
            await quietly(self.bot, DeleteMessage(chat_id=frame.chat_id, message_id=in_album))
        return await self.pictures.replace(key, frame, placing, file_id)

    def _frame(self, record: RequestRecord, entry: LedgerEntry, number: int) -> Frame:
        request = record.request
        lines = []
        if request.batch and request.prompt and not (entry.album and number):
            lines.append(excerpt(request.prompt, PROMPT_SHOWN))
        translate = Translator(self.texts, request.locale)
        if record.known and request.prompt and not entry.album:
            lines.append(translate("result-known"))
        return Frame(
            request.chat_id,
            reply_to=entry.prompt_message_id,
            caption="\n".join(lines) or None,
            keyboard=result_keyboard(record, number, translate),
        )

    async def _known(self, record: RequestRecord) -> tuple[str, ...]:
        """Return Telegram's names for the pictures, if they have been sent before, to whomever."""
        if record.file_ids or not record.request.cache_key:
            return record.file_ids
        cached = await self.cache.get(record.request.cache_key)
        return cached.file_ids if cached and cached.media == record.media else ()

    async def _say_failure(self, record: RequestRecord, entry: LedgerEntry, reason: FailureReason) -> None:
        """Say why there is no picture, and which one, if it is one of many."""
        translate, request = Translator(self.texts, record.request.locale), record.request
        text = translate(f"failed-{reason}")
        if request.batch:
            text = translate("batch-failed", prompt=excerpt(request.prompt, PROMPT_SHOWN), why=text)
        await self._say(record, entry, text, failure_keyboard(record, translate))

    async def _say(
        self,
        record: RequestRecord,
        entry: LedgerEntry,
        text: str,
        keyboard: InlineKeyboardMarkup | None = None,
    ) -> None:
        """Say something; what was to become a picture becomes the sentence."""
        chat_id = record.request.chat_id
        if entry.place is not None:
            try:
                edit = EditMessageText(chat_id=chat_id, message_id=entry.place, text=text, reply_markup=keyboard)
                await self.bot(edit)
            except TelegramBadRequest as error:
                if is_gone(error) or says_unchanged(error):
                    return
            else:
                return
        await self.say_in_reply(record, entry, text, keyboard)

    async def say_in_reply(
        self,
        record: RequestRecord,
        entry: LedgerEntry,
        text: str,
        keyboard: InlineKeyboardMarkup | None = None,
    ) -> Message:
        """Send a text in reply to what was asked."""
        reply = None
        if entry.prompt_message_id is not None:
            reply = ReplyParameters(message_id=entry.prompt_message_id, allow_sending_without_reply=True)
        chat_id = record.request.chat_id
        return await self.bot(SendMessage(chat_id=chat_id, text=text, reply_parameters=reply, reply_markup=keyboard))


@dataclass(slots=True)
class _Place:
    """The message that is to become a picture: gives its id, and sends it first if there is none yet."""

    delivery: Delivery
    record: RequestRecord
    entry: LedgerEntry
    attempt: int
    message_id: int | None

    async def __call__(self) -> int:
        if self.message_id is None:
            self.message_id = await self._send()
        return self.message_id

    async def _send(self) -> int:
        delivery, request = self.delivery, self.record.request
        text = Translator(delivery.texts, request.locale)("result-here")
        message_id = (await delivery.say_in_reply(self.record, self.entry, text)).message_id
        try:
            await delivery.ledger.placed(request.id, delivery.sender, self.attempt, message_id)
        except ClaimLostError:  # whoever has taken over does not know of it, so it would stay for ever
            await quietly(delivery.bot, DeleteMessage(chat_id=request.chat_id, message_id=message_id))
            raise
        return message_id


def _key(event: Event) -> str:
    """Return what an event belongs to: the requests of a batch are ``<batch>-<number>``, and take one place."""
    return event.request_id.partition("-")[0]
