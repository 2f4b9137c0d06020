"""A delivery with its surroundings: a real Redis, and Telegram played."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiogram.methods import (
    EditMessageMedia,
    SendChatAction,
    SendMediaGroup,
    SendMessage,
    TelegramMethod,
)
from aiogram.types import BufferedInputFile, Chat, Document, InputMediaPhoto, Message, PhotoSize
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from teremok import MockBot

from app.bot.delivery.batch_summary import BatchSummaries
from app.bot.delivery.delivery import Delivery
from app.bot.delivery.fence import Fence
from app.bot.delivery.ledger import DeliveryLedger
from app.bot.delivery.picture_sender import PictureSender
from app.bot.delivery.status_board import StatusBoard
from app.bot.event_reader import EventReader
from app.bot.keyed_executor import KeyedExecutor
from app.bot.requests.admission import Admission
from app.bot.result_cache import Result, ResultCache
from app.bot.texts import Texts
from app.bot.users.alerts import Alert, Alerts
from app.core import redis_keys
from app.core.events import Event, EventType
from app.core.media import MediaStore
from app.core.operations import Operation
from app.core.requests import FalRequest, ImageRequest, Lease, RequestRecord, RequestStore


def request(request_id: str = "u1", **more: Any) -> ImageRequest:
    fields = {"user_id": 7, "chat_id": 7, "locale": "en", "operation": Operation.CREATE, "prompt": "a fox", **more}
    return ImageRequest(request_id, **fields)


def event(kind: EventType, request_id: str = "u1") -> Event:
    return Event("1-0", kind, request_id)


HERE = (SendMessage, EditMessageMedia)
"""How a new picture comes: a short text, which becomes the picture."""


def album(count: int) -> tuple[type, ...]:
    """How new pictures come together: an album of blanks, each becomes a picture, and the buttons for all."""
    return (SendMediaGroup, *(EditMessageMedia,) * count, SendMessage)


class Board(StatusBoard):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def changed(self, request_id: str) -> None:
        self.told.append(("changed", request_id))

    async def remove(self, request_id: str) -> None:
        self.told.append(("removed", request_id))


class Told(Alerts):
    """Remembers what admins heard of."""

    def __init__(self) -> None:
        self.told: list[Alert] = []

    async def tell(self, alert: Alert, occasion: str = "", **variables: str | int) -> None:
        self.told.append(alert)


class DeliveryHarness:
    """A delivery with its surroundings."""

    def __init__(self, redis: Redis, cache: Redis, rq: BlockingRedis, directory: Path) -> None:
        self.bot, self.board = MockBot(), Board()
        self.bot.session.middleware(Fence())
        self.redis, self.directory = redis, directory
        self.requests, self.ledger, self.cache = RequestStore(redis), DeliveryLedger(redis), ResultCache(cache)
        self.media = MediaStore(f"file://{directory}")
        self.delivery = self.instance("imagebot@1", rq)

    def instance(self, name: str, rq: BlockingRedis) -> Delivery:
        return Delivery(
            bot=self.bot, rq=rq, reader=EventReader(self.redis, name), requests=self.requests,
            ledger=self.ledger, cache=self.cache, pictures=PictureSender(self.bot, self.media),
            status_board=self.board, summaries=BatchSummaries(self.bot, self.redis, self.ledger, Texts(), name),
            texts=Texts(), sender=name, executor=KeyedExecutor(5),
        )  # fmt: skip

    async def ask(self, wish: ImageRequest, known: Result | None = None) -> None:
        """Take a request on, as the answer to message 3."""
        await self.ledger.begin(wish.id, 3)
        await Admission(self.redis).admit(wish, known=known)

    async def draw(self, request_id: str = "u1", *pictures: bytes) -> None:
        """Do what a worker does."""
        lease = Lease(redis_keys.leases("img_queue"), f"{request_id}:test")
        await self.redis.zadd(lease.key, {lease.execution: time.time() + 600})
        await self.requests.begin_submit(request_id, lease, 1)
        await self.requests.mark_submitted(request_id, FalRequest("f", "s", "r", "c", "e", time.time()))
        keys = tuple(f"{request_id}-{number}.jpg" for number in range(len(pictures)))
        for key, data in zip(keys, pictures, strict=True):
            await self.media.put(key, data)
        await self.requests.mark_stored(request_id, lease, keys)
        await self.requests.mark_done(request_id, lease)

    async def record(self, request_id: str) -> RequestRecord:
        """Return what is known of a request."""
        record = await self.requests.load(request_id)
        assert record
        return record

    def photo_gets(self, *file_ids: str) -> None:
        """Let the next messages that become photos get these names."""
        for file_id in file_ids:
            size = PhotoSize(file_id=file_id, file_unique_id=file_id, width=64, height=48)
            self.bot.add_result(EditMessageMedia, _message(photo=[size]))

    def document_gets(self, file_id: str) -> None:
        """Let the next message that becomes a document get this name."""
        document = Document(file_id=file_id, file_unique_id=file_id)
        self.bot.add_result(EditMessageMedia, _message(document=document))

    def text_gets(self, message_id: int) -> None:
        """Let the next text be this message."""
        self.bot.add_result(SendMessage, _message(message_id=message_id, text="Here it is"))

    def album_gets(self, *message_ids: int) -> None:
        """Let the next album be these messages."""
        self.bot.add_result(SendMediaGroup, [_message(message_id=message_id) for message_id in message_ids])

    def refuses(self, method: type[TelegramMethod[Any]], description: str, code: int = 400) -> None:
        """Let the next call fail."""
        self.bot.add_result(method, ok=False, error_code=code, description=description)

    def sent(self) -> list[Any]:
        """What people can see."""
        return [method for method in self.bot.requests.all if not isinstance(method, SendChatAction)]

    def kinds(self) -> tuple[type, ...]:
        """What kinds of messages that is."""
        return tuple(type(method) for method in self.sent())

    def shown(self) -> list[tuple[int, bytes]]:
        """Which message became which photo, in order."""
        edits = [method for method in self.sent() if isinstance(method, EditMessageMedia)]
        return [
            (edit.message_id or 0, edit.media.media.data) for edit in edits
            if isinstance(edit.media, InputMediaPhoto) and isinstance(edit.media.media, BufferedInputFile)
        ]  # fmt: skip


def _message(message_id: int = 9, **content: Any) -> Message:
    return Message(message_id=message_id, date=datetime.now(UTC), chat=Chat(id=7, type="private"), **content)
