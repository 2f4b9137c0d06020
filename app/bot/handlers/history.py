"""/history: the last results, one picture at a time."""

from dataclasses import dataclass
from typing import Final

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from app.bot.delivery.excerpts import excerpt
from app.bot.delivery.keyboards import HistoryButton, history_keyboard
from app.bot.delivery.picture_sender import Frame, PictureSender
from app.bot.refusals import RefusedError
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.request_scripts import HISTORY_MAX
from app.core.requests import RequestRecord, RequestStore

PROMPT_SHOWN: Final = 400
"""Characters of a prompt that stand below its picture (a caption has room for 1024 UTF-16 units)."""


@dataclass(frozen=True, slots=True)
class _Page:
    """One picture of the history: number ``number`` of a record, at ``position`` (0 = the newest) of ``total``."""

    record: RequestRecord
    number: int
    position: int
    total: int

    @property
    def file_id(self) -> str:
        """Telegram's name for it; empty if it has none: it may have been made for somebody who was not there."""
        file_ids = self.record.file_ids
        return file_ids[self.number] if self.number < len(file_ids) else ""

    def frame(self, chat_id: int, translate: Translator) -> Frame:
        """Return what is round it."""
        request = self.record.request
        keyboard = history_keyboard(self.record, self.number, self.position, self.total, translate)
        counted = {"position": self.position + 1, "total": self.total}
        if request.prompt:
            caption = translate("history-caption-prompt", **counted, prompt=excerpt(request.prompt, PROMPT_SHOWN))
        else:
            caption = translate("history-caption", **counted)
        return Frame(chat_id, caption=caption, keyboard=keyboard)


async def handle_history(
    message: Message, translate: Translator, requests: RequestStore, pictures: PictureSender
) -> None:
    """Show the newest picture, with buttons to the older ones."""
    page = await _page(message.chat.id, 0, requests)
    if page is None:
        await message.answer(translate("history-empty"))
        return
    try:
        await pictures.send(page.record.media[page.number], page.frame(message.chat.id, translate), page.file_id)
    except FileNotFoundError:
        raise RefusedError("result-file-gone") from None


async def handle_history_button(
    query: CallbackQuery,
    callback_data: HistoryButton,
    bot: Bot,
    translate: Translator,
    requests: RequestStore,
    pictures: PictureSender,
) -> None:
    """Turn the page; whose history it is, the person who presses decides."""
    await quietly(bot, query.answer())
    page = await _page(query.from_user.id, callback_data.position, requests)
    if query.message is None or page is None:
        return
    message_id = query.message.message_id

    async def place() -> int:
        return message_id

    try:
        frame = page.frame(query.message.chat.id, translate)
        await pictures.replace(page.record.media[page.number], frame, place, page.file_id)
    except FileNotFoundError:
        raise RefusedError("result-file-gone") from None


async def _page(user_id: int, position: int, requests: RequestStore) -> _Page | None:
    """Return a page of a person's history, the nearest there is; None if it is empty."""
    records = await requests.history(user_id, 0, HISTORY_MAX)
    shown = [(record, number) for record in records for number in range(len(record.media))]
    if not shown:
        return None
    position = max(0, min(position, len(shown) - 1))
    record, number = shown[position]
    return _Page(record, number, position, len(shown))


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="history")
    router.message.register(handle_history, Command("history"))
    router.callback_query.register(handle_history_button, HistoryButton.filter())
    return router
