"""Every Redis key of ours, spelled once. RQ's own keys begin with ``rq:``."""

from typing import Final

EVENTS: Final = "imagebot:events"
"""Stream of what happened to requests, read by the bot's consumer group."""

EVENTS_GROUP: Final = "bot"

PAUSED: Final = "imagebot:paused"
"""Set (with a time to live) while nothing is to be submitted; holds the reason."""

FAL_REQUEST_CAP: Final = "imagebot:fal:request-cap"
"""State of the cap on requests a second to fal, shared by all workers."""

COUNTERS: Final = "imagebot:counters"
"""Hash of counters that outlive a process (see ``app/core/metrics.py``)."""

INBOX: Final = "imagebot:inbox"
"""Stream of raw Telegram updates that were received and are not handled yet."""

INBOX_GROUP: Final = "bot"


def request(request_id: str) -> str:
    """Hash with all that is known of one request."""
    return f"imagebot:request:{request_id}"


def leases(queue: str) -> str:
    """Sorted set of running executions (``job:execution``), scored by the end of the lease (Redis time, s)."""
    return f"imagebot:leases:{queue}"


def latency(endpoint: str) -> str:
    """List of an endpoint's last run times at fal, in seconds, newest first."""
    return f"imagebot:fal:latency:{endpoint}"


def received_update(update_id: int) -> str:
    """Mark that an update has been put into the inbox; expires once Telegram can't send it again."""
    return f"imagebot:update:{update_id}"


def conversation(request_id: str) -> str:
    """Hash with what the bot has said about one request (see ``app/bot/conversations.py``)."""
    return f"imagebot:conversation:{request_id}"
