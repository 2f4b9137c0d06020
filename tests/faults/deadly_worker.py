"""``python -m tests.faults.deadly_worker``: the worker as it is, but it kills itself at a named point, once.

``TEST_KILL_AT`` names the point, ``TEST_KILL_MARK`` a file that it leaves when it does.
"""

import os
import sys
from pathlib import Path
from typing import Final

from app.core.requests import RequestStore
from app.worker.__main__ import main
from tests.integration.worker.process import POINTS as WORKER_POINTS
from tests.integration.worker.process import kill_once_after

POINTS: Final[dict[str, tuple[type, str]]] = {**WORKER_POINTS, "announced": (RequestStore, "mark_done")}
"""Point -> the method after which it lies; the last is the one before RQ hears that the job has finished."""

if __name__ == "__main__":
    owner, name = POINTS[os.environ["TEST_KILL_AT"]]
    setattr(owner, name, kill_once_after(getattr(owner, name), Path(os.environ["TEST_KILL_MARK"])))
    sys.exit(main())
