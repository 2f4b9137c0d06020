"""Results come home: from the stream of events to the person who asked."""

import logging
from functools import partial
from typing import Final

import obstore.exceptions
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.methods import DeleteMessage, EditMessageText, SendDocument, SendMessage, SendPhoto
from aiogram.types import BufferedInputFile, ReplyParameters
from redis.exceptions import RedisError

from app.bot.conversations import ENDED, HELD, Conversation, Conversations
from app.bot.lanes import Lanes
from app.bot.outage import Outage
from app.bot.pictures import inspect
from app.bot.telegram import is_gone, quietly
from app.bot.texts import Texts, Voice
from app.core.errors import FailureReason
from app.core.events import Event, EventReader, EventType
from app.core.media import MediaStore
from app.core.requests import RequestRecord, RequestStore

ATTEMPTS: Final = 5
"""How often an answer that fails for no known reason is tried; then the person is told that it failed."""

CLAIM_AFTER: Final = 10.0
"""Seconds after which an event that was not settled is tried again, here or by another instance."""

logger = logging.getLogger(__name__)


class Delivery:
    """Reads events as ``sender`` and answers people."""

    def __init__(
        self,
        bot: Bot,
        reader: EventReader,
        requests: RequestStore,
        conversations: Conversations,
        media: MediaStore,
        texts: Texts,
        sender: str,
        lanes: Lanes,
    ) -> None:
        self._bot = bot
        self._reader = reader
        self._requests = requests
        self._conversations = conversations
        self._media = media
        self._texts = texts
        self._sender = sender
        self._lanes = lanes
        self._in_hand: set[str] = set()

    async def run(self) -> None:
        """Deliver for ever: in order within a request, side by side across requests."""
        outage = Outage("Redis (events)")
        while True:
            try:
                await self._reader.open()
                while True:
                    async for event in self._reader.read():
                        if event.entry_id not in self._in_hand:  # a slow one is claimed again, by ourselves too
                            self._in_hand.add(event.entry_id)
                            await self._lanes.put(event.request_id, partial(self._settle, event))
                    outage.over()
            except RedisError as error:
                await outage.pause(error)

    async def _settle(self, event: Event) -> None:
        """Handle an event and acknowledge it. If that fails it stays in the stream and is tried again."""
        try:
            if await self.handle(event):
                await self._reader.acknowledge(event)
        except (RedisError, obstore.exceptions.BaseError, OSError) as error:
            logger.warning("request %s: %s waits: %s: %s", event.request_id, event.type, type(error).__name__, error)
        except Exception:
            logger.exception("request %s: %s could not be told, trying again", event.request_id, event.type)
        finally:
            self._in_hand.discard(event.entry_id)

    async def handle(self, event: Event) -> bool:
        """Tell a person what happened; return False if another instance is just doing it."""
        record = await self._requests.load(event.request_id)
        if record is None:
            logger.warning("request %s: nothing is known of it any more", event.request_id)
            return True
        conversation = await self._conversations.load(event.request_id)
        if event.type is EventType.STARTED:
            if not conversation.ended:
                await self._edit_status(record, conversation, "drawing")
            return True
        attempt = await self._conversations.claim(event.request_id, self._sender)
        if attempt == HELD:
            return False
        if attempt != ENDED:
            async with self._conversations.hold(event.request_id, self._sender):
                await self._answer(event.type, record, conversation, attempt)
                await self._conversations.end(event.request_id)
        await self.remove_status(event.request_id, record.request.chat_id)
        return True

    async def remove_status(self, request_id: str, chat_id: int) -> None:
        """Delete the request's status message, if there is one."""
        message_id = (await self._conversations.load(request_id)).status_message_id
        if message_id is not None:
            await quietly(self._bot, DeleteMessage(chat_id=chat_id, message_id=message_id))
            await self._conversations.status_removed(request_id)

    async def _answer(
        self, event_type: EventType, record: RequestRecord, conversation: Conversation, attempt: int
    ) -> None:
        """Send the answer, or in the end the news that there is none. An error means: try again later."""
        try:
            if event_type is EventType.DONE:
                await self._send_pictures(record, conversation)
            elif event_type is EventType.FAILED:
                await self._say(record, conversation, f"failed-{record.reason or FailureReason.INTERNAL}")
            else:
                await self._say(record, conversation, "cancelled")
        except Exception as error:
            if isinstance(error, TelegramAPIError) and is_gone(error):
                logger.info("request %s: nobody there to answer to: %s", record.request.id, error.message)
                return
            if isinstance(error, RedisError | obstore.exceptions.BaseError) or attempt < ATTEMPTS:
                raise
            logger.exception("request %s: gave up answering after %d attempts", record.request.id, attempt)
            try:
                await self._say(record, conversation, f"failed-{FailureReason.INTERNAL}")
            except TelegramAPIError as refusal:
                logger.error("request %s: not even that could be said: %s", record.request.id, refusal.message)

    async def _send_pictures(self, record: RequestRecord, conversation: Conversation) -> None:
        for position, key in enumerate(record.media):
            if position >= conversation.pictures_sent:
                await self._send_picture(record, conversation, await self._media.get(key))
                await self._conversations.picture_sent(record.request.id, position + 1)

    async def _send_picture(self, record: RequestRecord, conversation: Conversation, data: bytes) -> None:
        outgoing = inspect(data)
        file = BufferedInputFile(data, outgoing.file_name)
        chat_id, reply = record.request.chat_id, _reply_to(conversation)
        if outgoing.fits_photo:
            try:
                await self._bot(SendPhoto(chat_id=chat_id, photo=file, reply_parameters=reply))
            except TelegramBadRequest as error:
                if is_gone(error):
                    raise
                logger.warning("request %s: not taken as a photo: %s", record.request.id, error.message)
            else:
                return
        await self._bot(SendDocument(chat_id=chat_id, document=file, reply_parameters=reply))

    async def _say(self, record: RequestRecord, conversation: Conversation, key: str) -> None:
        text = Voice(self._texts, record.request.locale)(key)
        reply = _reply_to(conversation)
        await self._bot(SendMessage(chat_id=record.request.chat_id, text=text, reply_parameters=reply))

    async def _edit_status(self, record: RequestRecord, conversation: Conversation, key: str) -> None:
        if conversation.status_message_id is not None:
            text = Voice(self._texts, record.request.locale)(key)
            method = EditMessageText(
                chat_id=record.request.chat_id, message_id=conversation.status_message_id, text=text
            )
            await quietly(self._bot, method)


def _reply_to(conversation: Conversation) -> ReplyParameters | None:
    if conversation.prompt_message_id is None:
        return None
    return ReplyParameters(message_id=conversation.prompt_message_id, allow_sending_without_reply=True)
