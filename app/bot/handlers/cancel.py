"""/cancel, and the Cancel buttons."""

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, Message

from app.bot.delivery.eta import EtaEstimator
from app.bot.delivery.keyboards import CancelAllButton, CancelButton
from app.bot.handlers.status import list_requests
from app.bot.requests.cancellation import Cancellation, Cancelled
from app.bot.requests.questions import leave
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.requests import RequestStore


async def handle_cancel(
    message: Message,
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    requests: RequestStore,
    estimator: EtaEstimator,
) -> None:
    """Leave the dialogue that the person is in, and offer what is queued or being drawn."""
    in_dialogue = await state.get_state() is not None
    if in_dialogue:
        await leave(bot, state)
        await message.answer(translate("cancel-left"))
    text, keyboard = await list_requests(message.chat.id, translate, requests, estimator, title="cancel-offer")
    if keyboard:
        await message.answer(text, reply_markup=keyboard)
    elif not in_dialogue:
        await message.answer(translate("cancel-nothing"))


async def handle_cancel_button(
    query: CallbackQuery,
    callback_data: CancelButton,
    bot: Bot,
    translate: Translator,
    requests: RequestStore,
    estimator: EtaEstimator,
    cancellation: Cancellation,
) -> None:
    """Cancel one request of the person who pressed."""
    outcome = await cancellation(callback_data.request_id, query.from_user.id)
    await quietly(bot, query.answer(translate(outcome)))
    if callback_data.listed:
        await _list_again(query, bot, translate, requests, estimator)


async def handle_cancel_all(
    query: CallbackQuery,
    bot: Bot,
    translate: Translator,
    requests: RequestStore,
    estimator: EtaEstimator,
    cancellation: Cancellation,
) -> None:
    """Cancel everything of the person who pressed; the list says what became of it."""
    count = await cancellation.all(query.from_user.id)
    await quietly(bot, query.answer(translate(Cancelled.DONE if count else "cancel-nothing")))
    if not count or query.message is None:
        await _list_again(query, bot, translate, requests, estimator)
        return
    text = translate("cancel-all-done", count=count)
    method = EditMessageText(chat_id=query.message.chat.id, message_id=query.message.message_id, text=text)
    await quietly(bot, method)


async def _list_again(
    query: CallbackQuery, bot: Bot, translate: Translator, requests: RequestStore, estimator: EtaEstimator
) -> None:
    """Bring the list up to date under which the button stands."""
    if query.message is None:
        return
    text, keyboard = await list_requests(query.from_user.id, translate, requests, estimator)
    method = EditMessageText(
        chat_id=query.message.chat.id, message_id=query.message.message_id, text=text, reply_markup=keyboard
    )
    await quietly(bot, method)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="cancel")
    router.message.register(handle_cancel, Command("cancel"))
    router.callback_query.register(handle_cancel_button, CancelButton.filter())
    router.callback_query.register(handle_cancel_all, CancelAllButton.filter())
    return router
