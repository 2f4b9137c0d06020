"""The bot's settings."""

import re
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, HttpUrl, NonNegativeFloat, PositiveInt, SecretStr, ValidationInfo

from app.core.rate_limit import RATE_LIMIT_MAX_REQUESTS, RATE_LIMIT_WINDOW
from app.core.settings import FROM_JSON, CoreSettings

T = TypeVar("T", str, SecretStr)

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")
_WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


def _looks_like_a_token(value: SecretStr) -> SecretStr:
    if not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("not a bot token as @BotFather gives it (digits, a colon, 35 letters and digits)")
    return value


def _looks_like_a_webhook_secret(value: SecretStr) -> SecretStr:
    if value and not _WEBHOOK_SECRET.fullmatch(value.get_secret_value()):
        raise ValueError("16 to 256 letters, digits, _ and - are what Telegram takes and nobody guesses")
    return value


def _needed_in_webhook_mode(value: T, info: ValidationInfo) -> T:
    if info.data.get("bot_mode") == "webhook" and not value:
        raise ValueError("needed in webhook mode")
    return value


class BotSettings(CoreSettings):
    """What the bot needs besides; ``bot_name`` tells instances apart and stays the same over restarts."""

    bot_name: str = "imagebot@1"
    telegram_token: Annotated[SecretStr, AfterValidator(_looks_like_a_token)]
    telegram_api_url: HttpUrl = HttpUrl("https://api.telegram.org")
    telegram_messages_per_second: Annotated[float, Field(gt=0)] = 28.0
    """Messages to all chats together, over all instances; Telegram takes about 30, or 1,000 from who pays for it."""
    rate_limit_window: PositiveInt = RATE_LIMIT_WINDOW
    rate_limit_max_requests: PositiveInt = RATE_LIMIT_MAX_REQUESTS
    open_requests_max: PositiveInt = 3
    """Requests that one person may have waiting or at work."""
    open_requests_max_vip: PositiveInt = 10
    queue_max: PositiveInt = 1000
    """Jobs in a queue from which on nobody is admitted to it."""
    spend_max_per_day: NonNegativeFloat = 0.0
    """Dollars a day (UTC) for all people together; 0 = without a limit."""
    spend_max_per_user_per_day: NonNegativeFloat = 0.0
    prices: Annotated[dict[str, NonNegativeFloat], *FROM_JSON] = Field(default_factory=dict)
    """Dollars a picture, by endpoint; others cost ``DEFAULT_PRICE`` of ``app/core/endpoints.py``."""
    admins: Annotated[frozenset[int], *FROM_JSON] = frozenset()
    """Telegram ids of the people who run the bot."""
    contact: str = Field(default="", pattern=r"^\S{0,100}$")
    """Whom people can turn to who are no longer served: a name in Telegram, an address; '' = nobody."""
    bot_mode: Literal["polling", "webhook"] = "polling"
    """How updates come. Polling: one instance asks for them, the others stand by."""
    webhook_url: Annotated[str, AfterValidator(_needed_in_webhook_mode)] = Field(
        default="", pattern=r"^(https?://[^\s/]+/\S*)?$", validate_default=True
    )
    """Where Telegram pushes updates to."""
    webhook_listen: str = Field(default="127.0.0.1:8443", pattern=r"^(unix:/\S+|[^\s:]+:\d+)$")
    """Where this instance receives them from the proxy: ``unix:/path`` or ``host:port``."""
    webhook_secret: Annotated[
        SecretStr, AfterValidator(_looks_like_a_webhook_secret), AfterValidator(_needed_in_webhook_mode)
    ] = Field(default=SecretStr(""), validate_default=True)
    """What Telegram shows to prove that an update comes from it."""
    webhook_certificate: str = ""
    """PEM of the authority that signed the proxy's certificate, if Telegram does not know it."""
