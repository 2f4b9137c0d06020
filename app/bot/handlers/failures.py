"""What can be done about a request that failed: try again, change the words, send another photo."""

from datetime import UTC, datetime
from typing import Final

from aiogram import Bot, F, Router
from aiogram.filters import StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State
from aiogram.methods import EditMessageReplyMarkup
from aiogram.types import CallbackQuery, Message, Update

from app.bot.delivery.keyboards import FailureButton, Remedy, remedies
from app.bot.filters import brings_words
from app.bot.handlers.results import handle_stale_button
from app.bot.refusals import RefusedError
from app.bot.requests.dialogues import Retouching, Rewording, Upscaling
from app.bot.requests.prompts import clean_prompt
from app.bot.requests.questions import Meant, WordsButton, ask, asked_about_words, asks_about_words, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.operations import Operation
from app.core.requests import ImageRequest, RequestState, RequestStore

_PHOTO_MODES: Final[dict[Operation, State]] = {
    Operation.RETOUCH: Retouching.picture,
    Operation.UPSCALE: Upscaling.picture,
}
_ABOUT_A_PICTURE: Final = frozenset({Operation.EDIT, Operation.MERGE})


async def handle_failure_button(
    query: CallbackQuery,
    callback_data: FailureButton,
    event_update: Update,
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    requests: RequestStore,
    submitter: RequestSubmitter,
) -> None:
    """Do what its owner wishes about a failure; a button that is stale, foreign or forged only says so."""
    record = await requests.load(callback_data.request_id)
    if (
        query.message is None
        or record is None
        or not record.readable
        or record.request.user_id != query.from_user.id
        or record.state is not RequestState.FAILED
        or callback_data.remedy not in remedies(record)
    ):
        await handle_stale_button(query, bot, translate)
        return
    await quietly(bot, query.answer())
    request, news = record.request, query.message
    if callback_data.remedy is Remedy.WORDS:
        await enter(state, Rewording.words, datetime.now(UTC), request_id=request.id)
        await ask(bot, state, translate, translate("remedy-question"), news.message_id)
    elif callback_data.remedy is Remedy.PHOTO:
        await enter(state, _PHOTO_MODES[request.operation], datetime.now(UTC))
        await ask(bot, state, translate, translate(f"{request.operation}-photo"), news.message_id)
    else:
        target = ReplyTarget(f"u{event_update.update_id}", query.from_user.id, news.chat.id, _asked_in(query))
        if await submitter.submit(_again(request, request.prompt), target, translate):
            await quietly(bot, EditMessageReplyMarkup(chat_id=news.chat.id, message_id=news.message_id))


def _asked_in(query: CallbackQuery) -> int:
    """Return the message to which the news of the failure reply, or that of the news."""
    news = query.message
    asked = news.reply_to_message if isinstance(news, Message) else None
    return asked.message_id if asked else news.message_id if news else 0


def _again(request: ImageRequest, prompt: str) -> RequestSpec:
    """The same order with these words; anew if that was wanted."""
    return RequestSpec(
        request.operation, prompt, request.inputs, request.parameters, fresh=not (request.cache_key or request.batch)
    )


async def handle_other_words(
    message: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    requests: RequestStore,
    submitter: RequestSubmitter,
) -> None:
    """The words that were asked for."""
    request = await _request(bot, state, requests, message.chat.id)
    prompt = clean_prompt(message.text or "")
    if request.operation in _ABOUT_A_PICTURE and await asked_about_words(
        message, bot, state, translate, request.operation
    ):
        return
    if await submitter.submit(_again(request, prompt), ReplyTarget.of(event_update, message), translate):
        await leave(bot, state)


async def handle_words_for_failure(
    callback: CallbackQuery,
    words: Message,
    bot: Bot,
    event_update: Update,
    state: FSMContext,
    translate: Translator,
    requests: RequestStore,
    submitter: RequestSubmitter,
) -> None:
    """Words of which it was asked are the other words."""
    await quietly(bot, callback.answer())
    request = await _request(bot, state, requests, callback.from_user.id)
    target = ReplyTarget.of(event_update, words, callback.from_user.id)
    if await submitter.submit(_again(request, clean_prompt(words.text or "")), target, translate):
        await leave(bot, state)


async def _request(bot: Bot, state: FSMContext, requests: RequestStore, user_id: int) -> ImageRequest:
    """Return the request that is put in other words."""
    record = await requests.load(str((await state.get_data()).get("request_id", "")))
    if record is None or not record.readable or record.request.user_id != user_id:
        await leave(bot, state)
        raise RefusedError("failed-gone")
    return record.request


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="failures")
    router.message.register(handle_other_words, StateFilter(Rewording.words), brings_words)
    router.callback_query.register(handle_failure_button, FailureButton.filter())
    router.callback_query.register(
        handle_words_for_failure,
        StateFilter(Rewording.words),
        WordsButton.filter(F.meant == Meant.DIALOGUE),
        asks_about_words,
    )
    return router
