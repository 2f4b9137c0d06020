"""What happens to requests, as entries of a Redis stream.

The scripts of ``app/core/requests.py`` append them, each once; the bot reads them (``app/bot/event_reader.py``).
"""

from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    """``started`` once fal has taken the request; then exactly one of the others.

    ``queued``: the request that made the result for this one too was cancelled, so this one is to be queued itself.
    """

    QUEUED = "queued"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the stream; ``entry_id`` is what to acknowledge."""

    entry_id: str
    type: EventType
    request_id: str
