"""The bot's settings."""

import re
from typing import Annotated

from pydantic import AfterValidator, HttpUrl, PositiveInt, SecretStr

from app.core.rate_limit import RATE_LIMIT_MAX_REQUESTS, RATE_LIMIT_WINDOW
from app.core.settings import CoreSettings

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")


def _looks_like_a_token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("not a bot token as @BotFather gives it (digits, a colon, 35 letters and digits)")
    return value


class BotSettings(CoreSettings):
    """What the bot needs besides; ``bot_name`` tells instances apart and stays the same over restarts."""

    bot_name: str = "imagebot@1"
    telegram_token: Annotated[SecretStr, AfterValidator(_looks_like_a_token)]
    telegram_api_url: HttpUrl = HttpUrl("https://api.telegram.org")
    rate_limit_window: PositiveInt = RATE_LIMIT_WINDOW
    rate_limit_max_requests: PositiveInt = RATE_LIMIT_MAX_REQUESTS
