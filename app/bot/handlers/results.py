"""The buttons under results: Again, Variation, Upscale, Edit, Retouch, File."""

import asyncio
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from aiogram import Bot, Router
from aiogram.exceptions import TelegramEntityTooLarge
from aiogram.fsm.context import FSMContext
from aiogram.methods import EditMessageReplyMarkup
from aiogram.types import CallbackQuery, Message, Update

from app.bot.delivery.fence import ClaimLostError
from app.bot.delivery.keyboards import ALL, PickButton, ResultAction, ResultButton, album_keyboard, offers
from app.bot.delivery.ledger import ENDED, HELD, DeliveryLedger
from app.bot.delivery.picture_sender import Frame, PictureSender
from app.bot.handlers.edit import start_edit
from app.bot.handlers.retoucher import RETOUCH
from app.bot.handlers.upscale import UPSCALE
from app.bot.refusals import RefusedError
from app.bot.requests.photos import Photos, picture_in
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.settings import BotSettings
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.core.operations import VARIATION, Operation
from app.core.requests import ImageRequest, RequestRecord, RequestStore

SEED_MAX: Final = 2**31 - 1


async def handle_result_button(
    query: CallbackQuery,
    callback_data: ResultButton,
    event_update: Update,
    bot: Bot,
    state: FSMContext,
    translate: Translator,
    settings: BotSettings,
    requests: RequestStore,
    submitter: RequestSubmitter,
    ledger: DeliveryLedger,
    pictures: PictureSender,
    photos: Photos,
) -> None:
    """Do with a picture what its owner wishes; a button that is stale, foreign or forged only says so."""
    record = await requests.load(callback_data.request_id)
    number = callback_data.number
    if (
        query.message is None
        or record is None
        or record.request.user_id != query.from_user.id
        or not _is_there(number, record)
        or not offers(callback_data.action, record.request.operation, number)
    ):
        await handle_stale_button(query, bot, translate)
        return
    await quietly(bot, query.answer())
    chat_id, message_id = query.message.chat.id, query.message.message_id
    target = ReplyTarget(f"u{event_update.update_id}", query.from_user.id, chat_id, message_id)
    key = record.media[number] if number != ALL else ""
    if callback_data.action not in (
        ResultAction.AGAIN,
        ResultAction.FILE,
    ):  # when it is no longer kept, as Telegram has it
        shown = query.message if isinstance(query.message, Message) else None
        key = await photos.of(shown) or await photos.of_result(record, number)
    match callback_data.action:
        case ResultAction.AGAIN:
            await submitter.submit(_again(record.request, target), target, translate)
        case ResultAction.VARIATION:
            await submitter.submit(_variation(key, record.request, target), target, translate)
        case ResultAction.UPSCALE:
            await UPSCALE.submit(key, target, translate, submitter)
        case ResultAction.EDIT:
            album = (await ledger.load(record.request.id)).album
            is_below = not (isinstance(query.message, Message) and picture_in(query.message))
            about = album[number] if is_below and number < len(album) else message_id
            await start_edit(key, about, datetime.now(UTC), bot, state, translate)
        case ResultAction.RETOUCH:
            await RETOUCH.submit(key, target, translate, submitter)
        case ResultAction.FILE:
            frame = Frame(chat_id, reply_to=message_id)
            for each in range(len(record.media)) if number == ALL else [number]:
                press = f"{target.request_id}:{each}" if number == ALL else target.request_id
                file_ledger = _FileLedger(ledger, settings.bot_name, press)
                await file_ledger.send(pictures, record.request.id, each, record.media[each], frame)


async def handle_pick_button(
    query: CallbackQuery, callback_data: PickButton, bot: Bot, translate: Translator, requests: RequestStore
) -> None:
    """Show, below an album, what can be done with the picture that its owner picks."""
    record = await requests.load(callback_data.request_id)
    number = callback_data.number
    if (
        query.message is None
        or record is None
        or record.request.user_id != query.from_user.id
        or not _is_there(number, record)
    ):
        await handle_stale_button(query, bot, translate)
        return
    await quietly(bot, query.answer())
    method = EditMessageReplyMarkup(
        chat_id=query.message.chat.id,
        message_id=query.message.message_id,
        reply_markup=album_keyboard(record, number, translate),
    )
    await quietly(bot, method)


def _is_there(number: int, record: RequestRecord) -> bool:
    return 0 <= number < len(record.media) or (number == ALL and len(record.media) > 1)


def _again(request: ImageRequest, target: ReplyTarget) -> RequestSpec:
    """The same spec, drawn anew: another seed, which is the same when the update is handled twice."""
    seed = zlib.crc32(target.request_id.encode()) & SEED_MAX
    parameters: dict[str, Any] = {**request.parameters, "seed": seed}
    return RequestSpec(request.operation, request.prompt, request.inputs, parameters, fresh=True)


def _variation(picture: str, request: ImageRequest, target: ReplyTarget) -> RequestSpec:
    """One picture like this one (a media key), changed a little; its words stay those by which people know it."""
    parameters = {**_again(request, target).parameters, VARIATION: True}
    parameters.pop("num_images", None)
    return RequestSpec(Operation.EDIT, request.prompt, (picture,), parameters, fresh=True)


@dataclass(frozen=True, slots=True)
class _FileLedger:
    """Sends a file once for a press of the button, even if the press is handled twice."""

    ledger: DeliveryLedger
    sender: str
    press_id: str

    async def send(self, pictures: PictureSender, request_id: str, number: int, key: str, frame: Frame) -> None:
        """Send a picture in full quality; by Telegram's name for it if it has been sent so before."""
        claim = partial(self.ledger.claim, self.press_id, self.sender)
        while (attempt := await claim()) == HELD:  # noqa: ASYNC110 - another instance ends it, or is dead
            await asyncio.sleep(1)
        if attempt == ENDED:
            return
        async with self.ledger.lock(self.press_id, self.sender, attempt):
            known = await self.ledger.file_of(request_id, number)
            try:
                file_id = await pictures.send_file(key, frame, known)
            except ClaimLostError:  # another instance has the press, and sends it
                return
            except FileNotFoundError:
                raise RefusedError("result-file-gone") from None
            except TelegramEntityTooLarge:
                raise RefusedError("result-file-too-large") from None
            await self.ledger.end(self.press_id)
            await self.ledger.file_sent(request_id, number, file_id)


async def handle_stale_button(query: CallbackQuery, bot: Bot, translate: Translator) -> None:
    """Say that a button means nothing any more, whatever it once meant."""
    await quietly(bot, query.answer(translate("result-stale"), show_alert=True))


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="results")
    router.callback_query.register(handle_result_button, ResultButton.filter())
    router.callback_query.register(handle_pick_button, PickButton.filter())
    return router


def make_last_router() -> Router:
    """Return the handler of all buttons that nobody else knows; to be included after all others."""
    router = Router(name="stale buttons")
    router.callback_query.register(handle_stale_button)
    return router
