"""Every Redis key of ours, spelled once. RQ's own keys begin with ``rq:``."""

from typing import Final

EVENTS: Final = "imagebot:events"
"""Stream of what happened to requests, read by the bot's consumer group."""

EVENTS_GROUP: Final = "bot"

PAUSED: Final = "imagebot:paused"
"""Set (with a time to live) while nothing is to be submitted; tells why (see ``app/core/pause.py``)."""

PAUSE_TOLD: Final = "imagebot:paused:told"
"""Set (with a time to live) while the admins know of a pause, and not yet of its end; since when it stands."""

FAL_REQUEST_CAP: Final = "imagebot:fal:request-cap"
"""State of the cap on requests a second to fal, shared by all workers."""

COUNTERS: Final = "imagebot:counters"
"""Hash of counters that outlive a process (see ``app/core/counters.py``)."""

INBOX: Final = "imagebot:inbox"
"""Stream of raw Telegram updates that were received and are not handled yet."""

INBOX_GROUP: Final = "bot"

INBOX_BEGUN: Final = "imagebot:inbox:begun"
"""Hash: how often an entry of the inbox was begun with and not ended; a field goes when its entry is acknowledged."""

INBOX_ASIDE: Final = "imagebot:inbox:aside"
"""Stream of updates that could not be handled: the last ones, for days (bounds in ``app/bot/updates/aside.py``)."""

POLLER: Final = "imagebot:poller"
"""Name of the instance that polls Telegram; expires unless it is renewed."""


VIP: Final = "imagebot:vip"
"""Set of the ids of people who are served first."""

BANNED: Final = "imagebot:banned"
"""Set of the ids of people who are not served."""

USERS: Final = "imagebot:users"
"""Sorted set of everybody who has written to the bot, scored by when they last did (Unix s)."""


SUSPECTS: Final = "imagebot:sweeper:suspects"
"""Sorted set of open requests in nobody's hands, scored by when that was first seen (``app/worker/sweeper.py``)."""

SWEEPER_TURN: Final = "imagebot:sweeper:turn"
"""Stands from one sweep until the next is due."""

SWEEPER_COMPARED: Final = "imagebot:sweeper:compared"
"""Stands from one comparison of the lists of open requests until the next is due."""


BROADCAST: Final = "imagebot:broadcast"
"""Hash of the broadcast that is under way, or was last (see ``app/bot/users/broadcast.py``)."""

BROADCAST_RECIPIENTS: Final = "imagebot:broadcast:recipients"
"""Sorted set of those whom it has not reached yet."""

BROADCAST_SENDER: Final = "imagebot:broadcast:sender"
"""Names the instance of the bot that is sending it; expires."""


def request(request_id: str) -> str:
    """Hash with all that is known of one request."""
    return f"imagebot:request:{request_id}"


def worker_name(name: str) -> str:
    """Names the process that goes by a worker's name: machine, process id, its beginning; expires unless renewed."""
    return f"imagebot:worker-name:{name}"


def leases(queue: str) -> str:
    """Sorted set of running executions (``job:execution``); each renewal raises the score (about Redis' time, s)."""
    return f"imagebot:leases:{queue}"


def fal_request(fal_request_id: str) -> str:
    """Names the request of ours that one of fal's belongs to; expires after a day."""
    return f"imagebot:fal:request:{fal_request_id}"


def latency(endpoint: str) -> str:
    """List of an endpoint's last run times at fal, in seconds, newest first."""
    return f"imagebot:fal:latency:{endpoint}"


def received_update(update_id: int) -> str:
    """Mark that an update has been put into the inbox; expires once Telegram can't send it again."""
    return f"imagebot:update:{update_id}"


def last_update_of(chat_id: int) -> str:
    """Id of the newest entry in the inbox that belongs to a chat, whether it is still there or not."""
    return f"imagebot:last-update:{chat_id}"


def ledger_entry(request_id: str) -> str:
    """Hash with what the bot has said about one request (see ``app/bot/delivery/ledger.py``)."""
    return f"imagebot:conversation:{request_id}"


def shown(chat_id: int | str, message_id: int | str) -> str:
    """Which picture of which request (``<request>:<number>``) a message of an album shows; expires."""
    return f"imagebot:shown:{chat_id}:{message_id}"


def missed(user_id: int | str) -> str:
    """Set of a person's requests whose results came while they had blocked the bot; expires."""
    return f"imagebot:missed:{user_id}"


def preferences(user_id: int | str) -> str:
    """Hash of what a person has chosen in /settings, and the language of their Telegram."""
    return f"imagebot:preferences:{user_id}"


def ban_told(user_id: int) -> str:
    """Mark that a banned person was told so a short while ago."""
    return f"imagebot:ban-told:{user_id}"


def broadcast_decided(broadcast_id: str) -> str:
    """Mark that a broadcast was sent or discarded: its buttons are worth nothing any more."""
    return f"imagebot:broadcast:decided:{broadcast_id}"


def alert(kind: str, occasion: str) -> str:
    """Mark that the admins were told of something, once for each occasion, such as a day (UTC, ``YYYY-MM-DD``)."""
    return f"imagebot:alert:{kind}:{occasion}"


EPOCH: Final = "imagebot:epoch"
"""Hash of ``number`` and ``tick``, which only rise: how much Redis knows (see ``app/core/epoch.py``)."""

RECOVERY: Final = "imagebot:epoch:recovery"
"""Names the bot that sees to what Redis has lost; expires unless renewed."""

OPEN_REQUESTS: Final = "imagebot:open-requests"
"""Sorted set of everybody's requests that have not ended, scored by when they were made (Unix s)."""


def open_requests(user_id: int | str) -> str:
    """Sorted set of a person's requests that have not ended, scored by when they were made (Unix s)."""
    return f"imagebot:open:{user_id}"


def open_batch(user_id: int | str) -> str:
    """The same for the requests of a batch, which count apart."""
    return f"imagebot:open-batch:{user_id}"


def history(user_id: int | str) -> str:
    """Sorted set of a person's last results, scored by when they were made (Unix s)."""
    return f"imagebot:history:{user_id}"


def in_flight(cache_key: str) -> str:
    """The request that is just making what the cache key stands for."""
    return f"imagebot:in-flight:{cache_key}"


def joined(request_id: str) -> str:
    """List of requests that wait for this one's result."""
    return f"imagebot:joined:{request_id}"


def spend(day: str, user_id: int | str = "all") -> str:
    """Micro-dollars spent on a day (UTC, ``YYYY-MM-DD``) for one person, or for all."""
    return f"imagebot:spend:{user_id}:{day}"


def batch(batch_id: str) -> str:
    """Hash of a batch: ``total`` requests, and how many are ``done``, ``failed`` and ``cancelled``."""
    return f"imagebot:batch:{batch_id}"


def result(cache_key: str) -> str:
    """A result in the cache (see ``app/bot/result_cache.py``)."""
    return f"imagebot:result:{cache_key}"


DIALOGUES: Final = "imagebot:fsm"
"""Prefix of the dialogues' states (see ``app/bot/requests/dialogues.py``)."""

ALBUMS: Final = "imagebot:albums"
"""Sorted set of albums that are not whole yet, scored by when they are taken to be (Redis time, s)."""


def album(album_id: str) -> str:
    """Hash of an album's messages by their ids (see ``app/bot/updates/albums.py``)."""
    return f"imagebot:album:{album_id}"


def pieces(chat_id: int | str) -> str:
    """The same of the pieces into which a client has cut a text of a chat; as long as they are not whole."""
    return album(f"{chat_id}-text")


PACING_ALL: Final = "imagebot:pacing"
"""When the next message to anybody is due (see ``app/bot/delivery/pacing.py``)."""

STATUS_WAITING: Final = "imagebot:status:waiting"
"""Sorted set of queued requests with a status message, scored by when to look at it next (Redis time, s)."""

STATUS_DRAWING: Final = "imagebot:status:drawing"
"""The same of requests that are being drawn."""


def pacing(chat_id: int | str) -> str:
    """When the next message to a chat is due."""
    return f"imagebot:pacing:{chat_id}"


def batch_told(batch_id: str) -> str:
    """Set of the requests of a batch whose end has been told."""
    return f"imagebot:batch-told:{batch_id}"


WHILE_OPEN: Final = "gone, or given a time to live, once their requests have ended; admission bounds those"

# RQ's keys: to take them from RQ would cost its import (tests/unit/core/test_redis_keys.py compares them).


def rq_job(job_id: str) -> str:
    """Hash of a job."""
    return f"rq:job:{job_id}"


def rq_queue(name: str) -> str:
    """List of the ids of the jobs that wait in a queue."""
    return f"rq:queue:{name}"


def rq_running(queue: str) -> str:
    """Sorted set of a queue's running executions (``job:execution``): RQ's started jobs."""
    return f"rq:wip:{queue}"


def rq_execution(composite: str) -> str:
    """Hash of a running execution (``job:execution``)."""
    return f"rq:execution:{composite}"


def rq_executions(job_id: str) -> str:
    """Sorted set of a job's running executions."""
    return f"rq:executions:{job_id}"


def rq_worker_executions(worker_name: str) -> str:
    """Set of the executions (``job:execution``) that a worker runs."""
    return f"rq:worker:{worker_name}:executions"


BOUNDS: Final = {
    request("*"): WHILE_OPEN,
    OPEN_REQUESTS: WHILE_OPEN,
    open_requests("*"): WHILE_OPEN,
    open_batch("*"): WHILE_OPEN,
    joined("*"): WHILE_OPEN,
    leases("*"): WHILE_OPEN,
    SUSPECTS: WHILE_OPEN,
    STATUS_WAITING: WHILE_OPEN,
    STATUS_DRAWING: WHILE_OPEN,
    "rq:job:*": WHILE_OPEN,
    "rq:queue:*": WHILE_OPEN,
    "rq:scheduled:*": WHILE_OPEN,
    "rq:wip:*": WHILE_OPEN,
    "rq:finished:*": "jobs that ended in the last hour: the workers' maintenance removes older ones",
    "rq:failed:*": "jobs that failed in the last 7 days: the workers' maintenance removes older ones",
    "rq:queues": "an entry for each queue",
    "rq:workers*": "an entry for each worker",
    "rq:worker:*": "as many as there are workers, and the jobs that each has in flight",
    "rq:suspended": "one, set by hand",
    EVENTS: "those of the last hour, and what has not been told yet",
    INBOX: "updates that are not handled yet: none are received while Redis is full",
    ALBUMS: "albums that are not whole yet, for a second or two",
    COUNTERS: "a field for each counter",
    EPOCH: "two numbers",
    PAUSED: "one, set by hand",
    latency("*"): "one for each endpoint, of so many run times",
    USERS: "an entry for each person",
    preferences("*"): "a few words for each person",
    VIP: "people whom admins have named",
    BANNED: "people whom admins have named",
    BROADCAST: "one",
    BROADCAST_RECIPIENTS: "an entry for each person, until the broadcast has ended",
}
"""What bounds keys (by pattern, of both instances) that have no time to live. Any other key has one."""
