"""An independent check: aiogram's models accept every answer and update, and its bot talks to the simulator."""

import asyncio
import base64
import json
from typing import Any

import pytest
from aiogram import Bot, Dispatcher, F, methods
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError, TelegramRetryAfter
from aiogram.filters import CommandStart
from aiogram.methods import Response, TelegramMethod
from aiogram.types import (
    BufferedInputFile,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    Message,
    Update,
)

from tests.simulators.telegram.server import SUPPORTED

from .conftest import TOKEN, Telegram, picture

BUTTONS = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Again", callback_data="again:1")]])


def accepted(telegram: Telegram, method: str, files: Any = None, **params: Any) -> Any:
    """Call a method and let aiogram's model of its answer judge the whole of it."""
    name = method[0].upper() + method[1:]
    kind: type[TelegramMethod[Any]] = getattr(methods, name)
    body = telegram.call(method, files, **params)
    response = Response[kind.__returning__].model_validate(body)  # type: ignore[name-defined]  # only known here
    assert response.ok, body
    return response.result


def test_aiogram_accepts_the_answer_of_every_method(telegram: Telegram) -> None:
    telegram.simulator.post("/control/settings", rate_limits=False)
    said = telegram.says(7)
    buttons = BUTTONS.model_dump(exclude_none=True)
    reply = {"message_id": said}
    text = accepted(telegram, "sendMessage", chat_id=7, text="hi", reply_markup=buttons, reply_parameters=reply)
    photo = accepted(telegram, "sendPhoto", {"photo": picture()}, chat_id=7, caption="a picture")
    document = accepted(telegram, "sendDocument", {"document": ("a.png", picture())}, chat_id=7)
    media = [{"type": "photo", "media": f"attach://{name}"} for name in "ab"]
    files = {"a": picture(), "b": picture(90, 90)}
    album = accepted(telegram, "sendMediaGroup", files, chat_id=7, media=json.dumps(media))
    assert len({message.media_group_id for message in album}) == 1
    accepted(telegram, "editMessageText", chat_id=7, message_id=text.message_id, text="bye", reply_markup=buttons)
    pressed = telegram.simulator.post("/person/7/press", message_id=text.message_id, data="again:1")
    accepted(telegram, "answerCallbackQuery", callback_query_id=pressed["callback_query_id"], text="yes")
    accepted(telegram, "editMessageReplyMarkup", chat_id=7, message_id=text.message_id)
    accepted(telegram, "editMessageCaption", chat_id=7, message_id=photo.message_id, caption="new")
    file_id = document.document.file_id
    new = {"type": "document", "media": file_id}
    accepted(telegram, "editMessageMedia", chat_id=7, message_id=photo.message_id, media=new)
    accepted(telegram, "getFile", file_id=file_id)
    accepted(telegram, "copyMessage", chat_id=7, from_chat_id=7, message_id=document.message_id)
    accepted(telegram, "deleteMessage", chat_id=7, message_id=text.message_id)
    accepted(telegram, "deleteMessages", chat_id=7, message_ids=[photo.message_id, said])
    accepted(telegram, "sendChatAction", chat_id=7, action="upload_photo")
    commands = [{"command": "start", "description": "Begin"}]
    accepted(telegram, "setMyCommands", commands=commands, language_code="ru")
    assert accepted(telegram, "getMyCommands", language_code="ru")[0].command == "start"
    accepted(telegram, "deleteMyCommands", language_code="ru")
    assert accepted(telegram, "getMyCommands", language_code="ru") == []
    for name, key in (("Name", "name"), ("Description", "description")):
        accepted(telegram, f"setMy{name}", **{key: "Pictures"})
        assert getattr(accepted(telegram, f"getMy{name}"), key) == "Pictures"
    accepted(telegram, "setMyShortDescription", short_description="Pictures")
    accepted(telegram, "getMyShortDescription")
    accepted(telegram, "getMe")
    accepted(telegram, "getUpdates")
    accepted(telegram, "setWebhook", url="http://127.0.0.1:1/hook")
    accepted(telegram, "getWebhookInfo")
    accepted(telegram, "deleteWebhook", drop_pending_updates=True)
    assert telegram.simulator.get("/control/counts").keys() == SUPPORTED


def test_aiogram_accepts_every_kind_of_update(telegram: Telegram) -> None:
    encoded = base64.b64encode(picture()).decode()
    said = telegram.says(8, "/start now", language_code="ru", username="eight")
    sent = telegram.ok("sendMessage", chat_id=8, text="hi", reply_markup=BUTTONS.model_dump(exclude_none=True))
    post = telegram.simulator.post
    post("/person/8/send", text="that one", reply_to=sent["message_id"])
    post("/person/8/send", photos=[encoded, encoded], caption="both")
    post("/person/8/send", document={"file_name": "a.png", "mime_type": "image/png", "data": encoded})
    post("/person/8/edit", message_id=said, text="/help")
    post("/person/8/press", message_id=sent["message_id"], data="again:1")
    post("/person/8/press", message_id=99_999, data="forged", forged=True)
    post("/person/8/block")
    post("/person/8/unblock")
    updates = [Update.model_validate(update) for update in telegram.updates()]
    assert [update.event_type for update in updates] == [
        *["message"] * 5,
        "edited_message",
        *["callback_query"] * 2,
        *["my_chat_member"] * 2,
    ]
    first = updates[0].message
    assert first is not None
    assert first.from_user is not None
    assert first.from_user.language_code == "ru"
    assert first.entities is not None
    assert (first.entities[0].type, first.entities[0].length) == ("bot_command", 6)
    assert [update.update_id - updates[0].update_id for update in updates] == list(range(10))


@pytest.fixture
def server(telegram: Telegram) -> TelegramAPIServer:
    return TelegramAPIServer.from_base(telegram.url)


def dispatcher() -> Dispatcher:
    """A little bot that uses what ours uses."""
    dp = Dispatcher()

    @dp.message(CommandStart())
    async def start(message: Message) -> None:
        await message.answer("<b>Hello</b>", parse_mode=ParseMode.HTML, reply_markup=BUTTONS)

    @dp.message(F.photo)
    async def photo(message: Message, bot: Bot) -> None:
        assert message.photo is not None
        data = await bot.download(message.photo[-1])
        assert data is not None
        await message.reply_photo(BufferedInputFile(data.read(), "back.jpg"), caption=message.media_group_id)

    @dp.callback_query()
    async def pressed(query: CallbackQuery) -> None:
        await query.answer("Yes")
        assert isinstance(query.message, Message)
        await query.message.edit_text("Pressed")

    return dp


async def test_an_aiogram_bot_polls_answers_downloads_and_edits(
    telegram: Telegram, server: TelegramAPIServer
) -> None:
    simulator = telegram.simulator
    async with Bot(TOKEN, session=AiohttpSession(api=server)).context() as bot:
        polling = asyncio.create_task(dispatcher().start_polling(bot, handle_signals=False, polling_timeout=1))
        await asyncio.to_thread(simulator.post, "/person/9/send", text="/start")
        hello = await until(telegram, 9, lambda seen: seen["text"] == "Hello")
        assert hello["entities"] == [{"type": "bold", "offset": 0, "length": 5}]
        await asyncio.to_thread(simulator.post, "/person/9/press", message_id=hello["message_id"], data="again:1")
        pressed = await until(telegram, 9, lambda seen: seen["text"] == "Pressed")
        assert [version["text"] for version in pressed["versions"]] == ["Hello"]
        photos = [base64.b64encode(picture(300, 200)).decode()] * 2
        await asyncio.to_thread(simulator.post, "/person/9/send", photos=photos)
        back = await until(telegram, 9, lambda seen: seen["from_bot"] and seen["photo"])
        assert back["photo_size"] == [300, 200]
        assert back["caption"]
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)


async def until(telegram: Telegram, person: int, wanted: Any) -> dict[str, Any]:
    """Look at a chat until a message is as wanted."""
    seq = 0
    async with asyncio.timeout(20):
        while True:
            path = f"/person/{person}/chat"
            seen = await asyncio.to_thread(telegram.simulator.get, path, after=seq, timeout=2)
            seq = seen["seq"]
            for message in seen["messages"]:
                if wanted(message):
                    found: dict[str, Any] = message
                    return found


async def test_errors_arrive_as_aiograms_exceptions(telegram: Telegram, server: TelegramAPIServer) -> None:
    await asyncio.to_thread(telegram.says, 10)
    async with Bot(TOKEN, session=AiohttpSession(api=server)).context() as bot:
        with pytest.raises(TelegramBadRequest, match="chat not found"):
            await bot.send_message(404, "hi")
        photo = BufferedInputFile(b"no picture", "a.png")
        with pytest.raises(TelegramBadRequest, match="IMAGE_PROCESS_FAILED"):
            await bot.send_photo(10, photo)
        with pytest.raises(TelegramRetryAfter) as raised:
            await asyncio.gather(*(bot.send_message(10, f"hi {number}") for number in range(10)))
        assert raised.value.retry_after >= 1
        await asyncio.to_thread(telegram.simulator.post, "/person/10/block")
        await asyncio.to_thread(telegram.simulator.post, "/control/settings", rate_limits=False)
        with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
            await bot.send_message(10, "hi")


async def test_an_album_by_aiogram(telegram: Telegram, server: TelegramAPIServer) -> None:
    await asyncio.to_thread(telegram.says, 11)
    async with Bot(TOKEN, session=AiohttpSession(api=server)).context() as bot:
        one, two = (InputMediaPhoto(media=BufferedInputFile(picture(side), "a.png")) for side in (50, 60))
        sent = await bot.send_media_group(11, [one, two])
        assert sent[0].photo is not None
        again = await bot.send_photo(11, sent[0].photo[-1].file_id)
        assert again.photo is not None
