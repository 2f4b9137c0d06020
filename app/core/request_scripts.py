"""The scripts through which requests begin, change and end: one step each, in Redis, whole or not at all.

What else changes with a request changes in the same step: its person's list of open requests and last results, the
money set aside for it, its batch, the requests that wait for the same result, and the event that tells of it. The
scripts lie in ``lua``; ``docs/requests.md`` has the table of states.
"""

import json
from typing import Final

from app.core import redis_keys
from app.core.lua_scripts import load

UNTOLD_TTL: Final = 7 * 24 * 3600
"""Seconds that the record of a request that has ended is kept for its person to be told."""
ENDED_TTL: Final = 24 * 3600
"""Seconds that the record of a request without a result is kept once its person has been told."""
HISTORY_TTL: Final = 30 * 24 * 3600
"""Seconds that the record of a result is kept while it is among its person's last ones."""
HISTORY_MAX: Final = 50
"""Results of one person that are kept."""
FORGOTTEN_TTL: Final = 3600
"""Seconds that the record of a result that its person has is kept once it has left the history."""
_SPEND_TTL: Final = 3 * 24 * 3600
_IN_FLIGHT_TTL: Final = 24 * 3600
_RESULT_TTL: Final = 120
"""Seconds that a result is found by what was asked before the cache has to know it."""

KEYS: Final = (
    redis_keys.EVENTS,
    redis_keys.OPEN_REQUESTS,
    redis_keys.request(""),
    redis_keys.open_requests(""),
    redis_keys.open_batch(""),
    redis_keys.history(""),
    redis_keys.joined(""),
    redis_keys.in_flight(""),
    redis_keys.batch(""),
    redis_keys.spend("%s", "%s"),
)
"""The first of each script's KEYS: what hangs on a request."""
KEEP: Final = json.dumps(
    {
        "untold": UNTOLD_TTL,
        "ended": ENDED_TTL,
        "history": HISTORY_TTL,
        "history_max": HISTORY_MAX,
        "forgotten": FORGOTTEN_TTL,
        "spend": _SPEND_TTL,
        "in_flight": _IN_FLIGHT_TTL,
        "result": _RESULT_TTL,
    }
)
"""The first of each script's ARGV."""

ADMIT: Final = load(__file__, "admit")
ADVANCE: Final = load(__file__, "advance")
SENT: Final = load(__file__, "sent")
TOLD: Final = load(__file__, "told")
