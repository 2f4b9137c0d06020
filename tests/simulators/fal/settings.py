"""The knobs that hold until changed: latency, limits, shares of errors."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from .faults import ENDINGS


@dataclass
class Settings:
    """`POST /control/settings` changes any of these; `POST /control/reset` brings the start's back."""

    key: str = "fal-key"
    median_s: float = 24.0
    p95_s: float = 45.0
    time_scale: float = 1.0
    """Every job's seconds are multiplied by this."""
    seed: int | None = None
    picture_bytes: int = 20_000
    picture_kind: str = "png"
    picture_side_max: int = 1024
    """Pixels; larger pictures are scaled down to it, so that tests needn't decode 4 megapixels."""
    concurrency_limit: int = 40
    """Jobs of the account that may be IN_PROGRESS; the others wait."""
    balance: str = "ok"
    """`exhausted` refuses every submit with 403."""
    lock: str = ""
    """fal's reason for locking the account: every submit is refused with it."""
    listing: str = "ended"
    """Which requests the account's list shows: those that have `ended`, `all`, or nothing at all: `refused`."""
    cancel: str = "stop"
    """What cancelling a running job does: `stop` it, or `ignore` (it completes and is billed)."""
    result_ttl_s: float = 3600.0
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Random outcomes: `[{"kind": "policy", "share": 0.05}, ...]`."""

    def change(self, values: dict[str, Any]) -> None:
        """Set the named knobs; a ValueError names the ones that don't exist."""
        unknown = values.keys() - {knob.name for knob in fields(self)}
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        kinds = {error["kind"] for error in values.get("errors", [])} - ENDINGS.keys()
        if kinds:
            raise ValueError(f"no such kind of error: {', '.join(sorted(kinds))}")
        for name, value in values.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """Give all knobs but the key."""
        return {name: value for name, value in asdict(self).items() if name != "key"}
