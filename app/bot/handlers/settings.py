"""/settings: language, size and number of pictures, as buttons."""

from typing import Final

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.filters.callback_data import CallbackData
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message

from app.bot.requests.allowance import Allowances, hours_and_minutes
from app.bot.telegram import quietly
from app.bot.texts import Texts, Translator
from app.bot.users.commands import Menus
from app.bot.users.preferences import OPTIONS, Choice, Preferences
from app.bot.users.users import Users

_ROW: Final = 3
"""Buttons side by side where there are many, so that their texts can be read."""


class SettingsButton(CallbackData, prefix="settings"):
    """Chooses an option."""

    choice: Choice
    option: str


async def handle_settings(
    message: Message, translate: Translator, preferences: Preferences, allowances: Allowances
) -> None:
    """Show what is chosen and what there is to choose from."""
    text = await _text(message.chat.id, translate, allowances)
    await message.answer(text, reply_markup=_keyboard(translate, preferences))


async def _text(user_id: int, translate: Translator, allowances: Allowances) -> str:
    """Return what stands above the buttons: how much of the day's limit is used, if there is one."""
    allowance = await allowances.of(user_id)
    if allowance is None:
        return translate("settings-title")
    left = hours_and_minutes(allowance.left, translate)
    today = translate("settings-today", used=allowance.used, limit=allowance.limit, left=left)
    return f"{translate('settings-title')}\n\n{today}"


async def handle_settings_button(
    query: CallbackQuery,
    callback_data: SettingsButton,
    bot: Bot,
    translate: Translator,
    texts: Texts,
    users: Users,
    menus: Menus,
    allowances: Allowances,
) -> None:
    """Keep a choice of the person who pressed, and show it."""
    choice, option = callback_data.choice, callback_data.option
    if option not in OPTIONS[choice]:
        await quietly(bot, query.answer(translate("settings-stale")))
        return
    await users.choose(query.from_user.id, choice, option)
    chosen = await users.get(query.from_user.id)
    translate = Translator(texts, chosen.locale)  # a new language is spoken at once
    await quietly(bot, query.answer(translate("settings-saved")))
    if choice is Choice.LANGUAGE:
        await menus.tailor(query.from_user.id)
    if query.message is None:
        return
    method = EditMessageText(
        chat_id=query.message.chat.id,
        message_id=query.message.message_id,
        text=await _text(query.from_user.id, translate, allowances),
        reply_markup=_keyboard(translate, chosen.preferences),
    )
    await quietly(bot, method)


def _keyboard(translate: Translator, preferences: Preferences) -> InlineKeyboardMarkup:
    """The buttons of each choice, a few in a row; the chosen option has a mark."""
    rows = []
    for choice, options in OPTIONS.items():
        buttons = [_button(translate, choice, option, option == getattr(preferences, choice)) for option in options]
        width = _ROW if len(buttons) > _ROW + 1 else len(buttons)
        rows += [buttons[start : start + width] for start in range(0, len(buttons), width)]
    return InlineKeyboardMarkup(inline_keyboard=rows)


def _button(translate: Translator, choice: Choice, option: str, chosen: bool) -> InlineKeyboardButton:
    text = translate(f"settings-{choice}", option=int(option) if option.isdecimal() else option)
    return InlineKeyboardButton(
        text=translate("settings-chosen", option=text) if chosen else text,
        callback_data=SettingsButton(choice=choice, option=option).pack(),
    )


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="settings")
    router.message.register(handle_settings, Command("settings"))
    router.callback_query.register(handle_settings_button, SettingsButton.filter())
    return router
