"""The knobs that hold until changed."""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass
class Settings:
    """`POST /control/settings` changes any of these; `POST /control/reset` brings the start's back."""

    token: str = "42:TEST"
    rate_limits: bool = True
    chat_per_s: float = 1.0
    chat_burst: float = 5.0
    all_per_s: float = 30.0
    all_burst: float = 30.0
    callback_ttl_s: float = 15.0
    """How long a pressed button may be answered."""
    file_link_ttl_s: float = 3600.0
    edit_age_s: float = 48 * 3600.0
    """Older messages of the bot can't be deleted."""
    webhook_retry_s: float = 1.0
    """The first wait before an update is delivered again; it doubles up to 60 s."""
    webhook_timeout_s: float = 60.0
    webhook_https_only: bool = False
    """Telegram takes only https; tests may use http."""
    webhook_verify: bool = True
    """Whether a webhook's certificate is checked (against the uploaded one, if there is one)."""

    def change(self, values: dict[str, Any]) -> None:
        """Set the named knobs; a ValueError names the ones that don't exist."""
        unknown = values.keys() - {knob.name for knob in fields(self)}
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """Give all knobs but the token."""
        return {name: value for name, value in asdict(self).items() if name != "token"}
