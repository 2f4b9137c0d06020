"""The bot itself: who it is, its commands, callbacks, files."""

import re
import time
from typing import Any

from .entities import units
from .errors import bad
from .files import DOWNLOAD_MOST
from .methods import Method, method
from .params import Params
from .world import World

JSON = dict[str, Any]
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_COMMANDS_MOST = 100
_ANSWER_MOST = 200
_OLD = "query is too old and response timeout expired or query ID is invalid"


@method("getMe")
async def get_me(world: World, _: Params) -> JSON:
    """Tell who the bot is."""
    can = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    more = {"can_connect_to_business": False, "has_main_web_app": False}
    return world.bot | can | more


@method("answerCallbackQuery")
async def answer_callback_query(world: World, params: Params) -> bool:
    """Answer a pressed button, while it is fresh."""
    if units(params.text("text")) > _ANSWER_MOST:
        raise bad("MESSAGE_TOO_LONG")
    callback = world.callbacks.get(params.text("callback_query_id"))
    if callback is None or time.monotonic() - callback.pressed_at > world.settings.callback_ttl_s:
        raise bad(_OLD)
    callback.answer = {"callback_query_id": callback.id, "text": params.text("text")}
    callback.answer |= {"show_alert": params.flag("show_alert"), "url": params.text("url")}
    callback.person.answers.append(callback.answer | {"seq": world.chats.touch(callback.person.id)})
    return True


@method("getFile")
async def get_file(world: World, params: Params) -> JSON:
    """Prepare a download."""
    stored = world.files.get(params.text("file_id"))
    if stored is None:
        raise bad("invalid file_id")
    if len(stored.data) > DOWNLOAD_MOST:
        raise bad("file is too big")
    ids = {"file_id": stored.file_id, "file_unique_id": stored.unique_id, "file_size": len(stored.data)}
    return ids | {"file_path": world.files.link(stored)}


def _scope(params: Params) -> str:
    scope = params.parsed("scope") or {"type": "default"}
    return f"{scope['type']} {scope.get('chat_id', '')} {params.text('language_code')}"


@method("setMyCommands")
async def set_my_commands(world: World, params: Params) -> bool:
    """Keep the commands of a scope and language."""
    commands = params.parsed("commands") or []
    if len(commands) > _COMMANDS_MOST:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND.fullmatch(command["command"].removeprefix("/")):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(command["description"]) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    world.texts["commands", _scope(params)] = commands
    return True


@method("getMyCommands")
async def get_my_commands(world: World, params: Params) -> list[JSON]:
    """Give the commands of exactly this scope and language."""
    return list(world.texts.get(("commands", _scope(params)), []))


@method("deleteMyCommands")
async def delete_my_commands(world: World, params: Params) -> bool:
    """Drop the commands of a scope and language."""
    world.texts.pop(("commands", _scope(params)), None)
    return True


def _about(name: str, key: str, most: int) -> tuple[Method, Method]:
    async def change(world: World, params: Params) -> bool:
        if len(params.text(key)) > most:
            raise bad(f"{key} is too long")
        world.texts[name, params.text("language_code")] = params.text(key)
        return True

    async def show(world: World, params: Params) -> JSON:
        usual = world.bot["first_name"] if key == "name" else ""
        return {key: world.texts.get((name, params.text("language_code")), usual)}

    return method(f"setMy{name}")(change), method(f"getMy{name}")(show)


_about("Name", "name", 64)
_about("Description", "description", 512)
_about("ShortDescription", "short_description", 120)
