"""The script that puts jobs back, with hardly an import: what runs after a worker's death must not wait for them."""

from typing import Final

from app.core import redis_keys
from app.core.lua_scripts import load

CRASHES_FIELD: Final = "imagebot_crashes"
"""Field of a job's hash: how many workers died while it was at work in them."""
AT_WORK_FIELD: Final = "at_work"
"""Field of an execution's hash: 1 while the job does what its worker may die of. Blame needs it: a record that is
gone, after a long outage, say, accuses nobody."""

RQ_KEYS: Final = (redis_keys.rq_job(""), redis_keys.rq_execution(""), redis_keys.rq_executions(""))
"""The first of KEYS of each script that includes ``executions``."""
PUT_BACK: Final = load(__file__, "put_back")


def put_back_keys(queue: str) -> list[str]:
    """Return the KEYS for putting jobs of a queue back."""
    return [
        *RQ_KEYS,
        redis_keys.rq_queue(queue),
        redis_keys.leases(queue),
        redis_keys.rq_running(queue),
        redis_keys.rq_worker_executions("%s"),
    ]
