"""The menu under a photo that came without a word: what can be done with it.

The menu replies to the photo, and Telegram sends the photo along with every press: so the menu works as long as the
photo is there, whatever is remembered. It goes once it has been used.
"""

from enum import StrEnum
from typing import Final

from aiogram import Bot
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.methods import AnswerCallbackQuery, DeleteMessage
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from app.bot.refusals import RefusedError
from app.bot.requests.dialogues import Showing
from app.bot.requests.photos import picture_in
from app.bot.requests.questions import is_asked, leave
from app.bot.telegram import quietly
from app.bot.texts import Translator


class PhotoAction(StrEnum):
    """What can be done with a photo; each has a text ``photo-button-<name>``."""

    EDIT = "edit"
    RETOUCH = "retouch"
    UPSCALE = "upscale"
    MERGE = "merge"
    NEW = "new"
    """Nothing: the next words are for another picture."""


class PhotoButton(CallbackData, prefix="p"):
    """Do something with the photo to which the menu replies."""

    action: PhotoAction


_ROWS: Final = (
    (PhotoAction.EDIT, PhotoAction.UPSCALE),
    (PhotoAction.RETOUCH,),
    (PhotoAction.MERGE,),
    (PhotoAction.NEW,),
)


def photo_keyboard(translate: Translator) -> InlineKeyboardMarkup:
    """Return the menu's buttons."""
    rows = [
        [
            InlineKeyboardButton(
                text=translate(f"photo-button-{action}"), callback_data=PhotoButton(action=action).pack()
            )
            for action in row
        ]
        for row in _ROWS
    ]
    return InlineKeyboardMarkup(inline_keyboard=rows)


async def pressed_photo(callback: CallbackQuery, bot: Bot) -> Message:
    """Answer a press, and return the photo that it is about.

    Raises:
        RefusedError: the photo is no longer there, or the button was never under one.
    """
    await quietly(bot, AnswerCallbackQuery(callback_query_id=callback.id))
    menu = callback.message
    photo = menu.reply_to_message if isinstance(menu, Message) else None
    if photo is None or picture_in(photo) is None:
        raise RefusedError("photo-gone")
    return photo


async def put_away(callback: CallbackQuery, bot: Bot, state: FSMContext) -> None:
    """Take the menu away whose button was pressed: it has been used."""
    menu = callback.message
    if menu is None:
        return
    if await state.get_state() == Showing.menu.state and await is_asked(state, menu.message_id):
        await leave(bot, state)
    else:
        await quietly(bot, DeleteMessage(chat_id=menu.chat.id, message_id=menu.message_id))
