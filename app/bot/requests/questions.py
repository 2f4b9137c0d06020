"""What a dialogue asks: one question at a time, in reply to what it is about, and how to leave it.

A dialogue's data hold ``question``, the message that asks, and ``began``, when it began or last got on (Unix s).
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from aiogram import Bot
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State
from aiogram.methods import DeleteMessage, SendMessage
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message, ReplyParameters

from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.operations import Operation

ASK_AFTER: Final = 60
"""Seconds after which words are no longer surely meant for the dialogue."""


class LeaveButton(CallbackData, prefix="q"):
    """Leave the dialogue under whose question the button stands."""


class Meant(StrEnum):
    """What words are meant for."""

    DIALOGUE = "dialogue"
    NEW = "new"


class WordsButton(CallbackData, prefix="w"):
    """Say what the words are meant for to which the question replies."""

    meant: Meant


async def asks_about_words(callback: CallbackQuery, state: FSMContext) -> dict[str, Message] | bool:
    """Whether a button stands under the question about some ``words`` that is open just now."""
    question = callback.message
    words = question.reply_to_message if isinstance(question, Message) else None
    if question is None or words is None or not words.text or not await is_asked(state, question.message_id):
        return False
    is_theirs = words.from_user is not None and words.from_user.id == callback.from_user.id
    return {"words": words} if is_theirs else False


async def asked_about_words(
    message: Message, bot: Bot, state: FSMContext, translate: Translator, operation: Operation
) -> bool:
    """Ask what words are meant for if the dialogue began, or last got on, long before them; return whether it did."""
    if message.date.timestamp() - (await state.get_data()).get("began", 0) <= ASK_AFTER:
        return False
    meant = {Meant.DIALOGUE: translate(f"words-{operation}"), Meant.NEW: translate("words-new")}
    row = [
        InlineKeyboardButton(text=text, callback_data=WordsButton(meant=each).pack()) for each, text in meant.items()
    ]
    await ask(
        bot,
        state,
        translate,
        translate("words-question"),
        message.message_id,
        InlineKeyboardMarkup(inline_keyboard=[row]),
    )
    return True


async def enter(state: FSMContext, mode: State, at: datetime, **data: Any) -> None:
    """Begin a dialogue, or go on with it; the question that was asked is remembered until the next."""
    asked = (await state.get_data()).get("question")
    await state.set_data({**data, "began": int(at.timestamp()), "question": asked})
    await state.set_state(mode)


async def ask(
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    text: str,
    about: int | None = None,
    keyboard: InlineKeyboardMarkup | None = None,
) -> None:
    """Ask in reply to a message, with a button to leave unless there is a keyboard; the last question goes."""
    await _take_back(bot, state)
    leave = InlineKeyboardButton(text=translate("cancel-button"), callback_data=LeaveButton().pack())
    reply = ReplyParameters(message_id=about, allow_sending_without_reply=True) if about is not None else None
    asked = await bot(
        SendMessage(
            chat_id=state.key.chat_id,
            text=text,
            reply_parameters=reply,
            reply_markup=keyboard or InlineKeyboardMarkup(inline_keyboard=[[leave]]),
        )
    )
    await state.update_data(question=asked.message_id)


async def leave(bot: Bot, state: FSMContext) -> None:
    """End the dialogue, if there is one, with its question."""
    await _take_back(bot, state)
    await state.clear()


async def is_asked(state: FSMContext, message_id: int) -> bool:
    """Whether this message is the question of the dialogue that is going on."""
    return (await state.get_data()).get("question") == message_id


async def _take_back(bot: Bot, state: FSMContext) -> None:
    if asked := (await state.get_data()).get("question"):
        await quietly(bot, DeleteMessage(chat_id=state.key.chat_id, message_id=asked))
