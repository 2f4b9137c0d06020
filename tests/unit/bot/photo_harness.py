"""A bot and one person who sends it pictures, without Redis, Telegram or files."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiogram.methods import DeleteMessage, SendMessage
from aiogram.types import (
    Document,
    Message,
    Update,
)
from teremok import MockBot, MockCallbackQuery, MockMessagePhoto, MockMessageText, MockUser

from app.bot.dispatcher import make_dispatcher
from app.bot.refusals import RefusedError
from app.bot.requests.photo_menu import PhotoAction, PhotoButton
from app.bot.requests.photos import Photos, PictureFile, picture_in
from app.bot.requests.submission import ReplyTarget, RequestSpec
from app.bot.settings import BotSettings
from app.bot.texts import Texts, Translator
from app.bot.updates.albums import ALBUM_FIELD, Albums
from app.core.operations import Operation
from app.core.requests import RequestRecord
from tests.unit.bot.people import People
from tests.unit.bot.test_handlers import TOKEN

ANNA = MockUser(language_code="en")
update_ids = count(1_000_000)


@dataclass
class RequestSubmitter:
    """Takes everything, or nothing."""

    takes: bool = True
    specs: list[tuple[RequestSpec, ReplyTarget]] = field(default_factory=list)

    async def submit(self, spec: RequestSpec, target: ReplyTarget, translate: Translator) -> bool:
        self.specs.append((spec, target))
        return self.takes


class TakenIn(Photos):
    """Every picture is fine and has its file id for a media key, but for those that are not."""

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.taken: list[str] = []

    async def of(self, *messages: Message | None) -> str | None:
        files = [file for message in messages if message and (file := picture_in(message))]
        return await self.take_in(files[0]) if files else None

    async def of_result(self, record: RequestRecord, number: int) -> str:
        return record.media[number]

    async def take_in(self, file: PictureFile) -> str:
        if key := self.refused.get(file.file_id):
            raise RefusedError(key)
        self.taken.append(file.file_id)
        return file.file_id


class PutAside(Albums):
    """Remembers what it was given; may be too late for it."""

    def __init__(self) -> None:
        self.parts: list[int] = []
        self.late = False

    async def add(self, message: Message, update_id: int) -> bool:
        self.parts.append(message.message_id)
        return not self.late


class Harness:
    """A bot and one person."""

    def __init__(self) -> None:
        self.submitter, self.photos, self.albums = RequestSubmitter(), TakenIn(), PutAside()
        self.bot = MockBot(
            make_dispatcher(
                Texts(),
                People(),
                settings=BotSettings(telegram_token=TOKEN),
                submitter=self.submitter,
                photos=self.photos,
                albums=self.albums,
            )
        )

    async def gets(self, event: Any) -> list[str]:
        """Let the bot get an update; return what it says."""
        result = await self.bot.dispatch(event)
        return [method.text for method in result.requests.all if isinstance(method, SendMessage)]

    async def hears(self, text: str, **kwargs: Any) -> list[str]:
        return await self.gets(MockMessageText(text, user=ANNA, **kwargs))

    async def deletes(self, event: Any) -> list[int]:
        """Let the bot get an update; return which messages it takes away."""
        result = await self.bot.dispatch(event)
        return [method.message_id for method in result.requests.all if isinstance(method, DeleteMessage)]

    async def sees(self, name: str, caption: str | None = None, **kwargs: Any) -> list[str]:
        return await self.gets(MockMessagePhoto(name, caption, user=ANNA, **kwargs))

    async def sees_album(self, *names: str, caption: str | None = None) -> list[str]:
        """An album as the inbox brings it, once it is whole; the caption is on its last picture."""
        captions = [None] * (len(names) - 1) + [caption]
        parts = [
            MockMessagePhoto(name, caption, user=ANNA, media_group_id="g").model_dump(
                mode="json", by_alias=True, exclude_none=True
            )
            for name, caption in zip(names, captions, strict=True)
        ]
        update = {"update_id": next(update_ids), "message": parts[0], ALBUM_FIELD: parts}
        return await self.gets(Update.model_validate(update, context={"bot": self.bot}))

    async def presses(self, action: PhotoAction, photo: Message | None, message: Any = None) -> list[str]:
        menu = message or MockMessageText("menu", user=ANNA, reply_to_message=photo)
        return await self.gets(MockCallbackQuery(PhotoButton(action=action).pack(), user=ANNA, message=menu))

    def ordered(self) -> tuple[Operation, str, tuple[str, ...]]:
        """The only spec."""
        [(spec, _)] = self.submitter.specs
        return spec.operation, spec.prompt, spec.inputs

    async def state(self) -> str | None:
        return await self.bot.get_state()


def photo(name: str = "photo") -> Message:
    return MockMessagePhoto(name, user=ANNA)


def document(kind: str | None = "image/png", **kwargs: Any) -> Message:
    file = Document(file_id="document", file_unique_id="d", mime_type=kind, file_size=100)
    return MockMessageText("", user=ANNA).model_copy(update={"text": None, "document": file, **kwargs})
