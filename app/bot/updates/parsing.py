"""From JSON to aiogram's types."""

from typing import Any

from aiogram import Bot
from aiogram.types import Update
from aiogram.types.update import UpdateTypeLookupError
from pydantic import ValidationError

from app.bot.updates.aside import UnreadableError


def parse(bot: Bot, update: dict[str, Any]) -> Update:
    """Return an update as aiogram has it.

    Raises:
        UnreadableError: it has a shape that aiogram does not know; says where and what kind, never what it holds.
    """
    try:
        parsed = Update.model_validate(update, context={"bot": bot})
        _ = parsed.event_type  # aiogram's dispatcher would print what is of no known kind, people's words and all
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"][:6])[:100]
        kinds = ", ".join(sorted(key for key in update if key.isidentifier())[:4])[:100]
        raise UnreadableError(f"{kinds}: {place}: {first['type']}") from None
    except UpdateTypeLookupError:
        raise UnreadableError("of no known kind") from None
    except RecursionError:
        raise UnreadableError("too deep") from None
    return parsed
