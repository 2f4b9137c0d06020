"""The commands of those who run the bot. To others there are no such commands."""

import re
from typing import Final

from aiogram import Bot, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, Message, ReplyParameters
from redis.asyncio import Redis as AsyncRedis

from app.bot.requests.cancellation import Cancellation
from app.bot.settings import BotSettings
from app.bot.telegram import quietly
from app.bot.texts import Translator
from app.bot.users import stats
from app.bot.users.broadcast import BroadcastAction, BroadcastButton, Broadcasts, Start, keyboard_of
from app.bot.users.commands import Menus
from app.bot.users.users import Users

_USER_ID: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
_OFF: Final = "off"


async def is_admin(event: Message | CallbackQuery, settings: BotSettings) -> bool:
    """Whether the event comes from somebody who runs the bot."""
    return event.from_user is not None and event.from_user.id in settings.admins


async def handle_admin_start(message: Message, menus: Menus) -> None:
    """Give an admin their menu; Telegram takes none for somebody who has not started the bot. Then greet as ever."""
    await menus.tailor(message.chat.id)
    raise SkipHandler


async def handle_stats(message: Message, translate: Translator, redis: AsyncRedis, settings: BotSettings) -> None:
    """Tell how things are going."""
    seen = await stats.look(redis)
    high, normal, low = seen.queued.values()
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(seen.failed.items()))
    cap = f"{settings.spend_max_per_day:.2f}" if settings.spend_max_per_day else "∞"
    text = translate(
        "admin-stats",
        high=high, normal=normal, low=low, running=seen.running, workers=seen.workers,
        minutes=stats.WINDOW // 60, done=seen.done, rate=f"{seen.per_minute:.1f}",
        errors=f"{seen.error_rate:.1%}", reasons=reasons or "–", hits=f"{seen.cache_hit_rate:.1%}",
        spend=f"{seen.spend:.2f}", cap=cap, people=seen.people, today=seen.people_today,
    )  # fmt: skip
    await message.answer(text)


async def handle_vip(message: Message, command: CommandObject, translate: Translator, users: Users) -> None:
    """Serve somebody first, or no longer; without an id, tell whom."""
    words = (command.args or "").split()
    user_id = _user_id(words)
    if user_id is None or words[1:] not in ([], [_OFF]):
        await message.answer(translate("admin-vip-usage", ids=_listed(await users.vips())))
        return
    vip = _OFF not in words
    await users.set_vip(user_id, vip)
    await message.answer(translate("admin-vip-on" if vip else "admin-vip-off", id=str(user_id)))


async def handle_ban(
    message: Message,
    command: CommandObject,
    translate: Translator,
    users: Users,
    settings: BotSettings,
    cancellation: Cancellation,
) -> None:
    """Stop serving somebody, and cancel what is open of theirs; without an id, tell whom."""
    user_id = _user_id((command.args or "").split())
    if user_id is None:
        await message.answer(translate("admin-ban-usage", ids=_listed(await users.banned())))
        return
    if user_id in settings.admins:
        await message.answer(translate("admin-ban-admin"))
        return
    await users.set_banned(user_id, True)
    await cancellation.all(user_id)
    await message.answer(translate("admin-ban-on", id=str(user_id)))


async def handle_unban(message: Message, command: CommandObject, translate: Translator, users: Users) -> None:
    """Serve somebody again; without an id, tell who is not served."""
    user_id = _user_id((command.args or "").split())
    if user_id is None:
        await message.answer(translate("admin-unban-usage", ids=_listed(await users.banned())))
        return
    await users.set_banned(user_id, False)
    await message.answer(translate("admin-ban-off", id=str(user_id)))


async def handle_broadcast(message: Message, command: CommandObject, translate: Translator, users: Users) -> None:
    """Show what would be sent, and to how many; a button sends it."""
    if message.reply_to_message:
        draft = message.reply_to_message
    elif command.args:
        draft = await message.answer(command.args)
    else:
        await message.answer(translate("broadcast-usage"))
        return
    await message.answer(
        translate("broadcast-confirm", count=await users.audience()),
        reply_parameters=ReplyParameters(message_id=draft.message_id),
        reply_markup=keyboard_of(translate, draft.message_id, BroadcastAction.SEND, BroadcastAction.DISCARD),
    )


async def handle_broadcast_button(
    query: CallbackQuery, callback_data: BroadcastButton, bot: Bot, translate: Translator, broadcasts: Broadcasts
) -> None:
    """Send, discard or stop a broadcast."""
    if query.message is None:
        await quietly(bot, query.answer(translate("broadcast-stale")))
        return
    chat_id, progress_id = query.message.chat.id, query.message.message_id
    discarded = False
    match callback_data.action:
        case BroadcastAction.SEND:
            start = await broadcasts.start(chat_id, callback_data.message_id, progress_id)
            key = f"broadcast-{start}" if start is not Start.KNOWN else "broadcast-stale"
        case BroadcastAction.STOP:
            key = "broadcast-stopping" if await broadcasts.stop(chat_id, progress_id) else "broadcast-stale"
        case BroadcastAction.DISCARD:
            discarded = await broadcasts.discard(chat_id, progress_id)
            key = "broadcast-discarded" if discarded else "broadcast-stale"
    await quietly(bot, query.answer(translate(key)))
    if discarded:
        await quietly(bot, EditMessageText(chat_id=chat_id, message_id=progress_id, text=translate(key)))


def _user_id(words: list[str]) -> int | None:
    return int(words[0]) if words and _USER_ID.fullmatch(words[0]) else None


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids)) or "–"


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="admin")
    router.message.filter(is_admin)
    router.callback_query.filter(is_admin)
    router.message.register(handle_admin_start, CommandStart())
    router.message.register(handle_stats, Command("stats"))
    router.message.register(handle_vip, Command("vip"))
    router.message.register(handle_ban, Command("ban"))
    router.message.register(handle_unban, Command("unban"))
    router.message.register(handle_broadcast, Command("broadcast"))
    router.callback_query.register(handle_broadcast_button, BroadcastButton.filter())
    return router
