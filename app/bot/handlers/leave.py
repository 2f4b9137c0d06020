"""Leaving a dialogue: by its question's button, or by any command."""

from aiogram import Bot, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.fsm.context import FSMContext
from aiogram.methods import DeleteMessage
from aiogram.types import CallbackQuery, Message

from app.bot.filters import has_command_for_caption, is_command
from app.bot.requests.questions import LeaveButton, is_asked, leave
from app.bot.telegram import quietly
from app.bot.texts import Translator


async def handle_command(message: Message, bot: Bot, state: FSMContext) -> None:
    """Leave the dialogue that the person is in; what the command wants, others see to. /cancel leaves it itself."""
    if not (message.text or "").startswith("/cancel") and await state.get_state() is not None:
        await leave(bot, state)
    raise SkipHandler


async def handle_leave_button(callback: CallbackQuery, bot: Bot, state: FSMContext, translate: Translator) -> None:
    """Leave the dialogue; a question of one that has ended only goes."""
    await quietly(bot, callback.answer(translate("cancel-left")))
    if callback.message is None:
        return
    if await is_asked(state, callback.message.message_id):
        await leave(bot, state)
    else:
        method = DeleteMessage(chat_id=callback.message.chat.id, message_id=callback.message.message_id)
        await quietly(bot, method)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="leave")
    router.message.register(handle_command, is_command)
    router.message.register(handle_command, has_command_for_caption)
    router.callback_query.register(handle_leave_button, LeaveButton.filter())
    return router
