"""Whatever fal answers, its request ends, the worker goes on with the others, and no secret goes astray."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.errors import FailureReason
from app.core.requests import RequestState
from tests.hostile import answers
from tests.hostile.worker import Trial, under_trial
from tests.integration.worker.harness import FAL_KEY
from tests.support.redis_server import RedisServer

MEMORY_MAX = 512 * 1024
"""kB that the worker's own process may take; its unit has 2 GB."""


@pytest.fixture(scope="module")
def trial(redis_process: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    """All cases at once, and one sound request beside them; all have ended."""
    quick = {"REQUEST_DEADLINE": "15", "TEST_CALL_SECONDS": "4", "TEST_FILE_SECONDS": "6"}
    with under_trial(redis_process.url, tmp_path_factory.mktemp("hostile"), **quick) as trial:
        yield trial


@pytest.mark.parametrize("case", list(answers.CASES))
def test_a_request_ends_well_or_with_a_reason(trial: Trial, case: str) -> None:
    record = trial.harness.record(trial.requests[case])
    if record.state is RequestState.DONE:
        assert len(record.media) == 1
        assert trial.harness.pictures(record.request.id)
    else:
        assert record.state is RequestState.FAILED
        assert record.reason in list(FailureReason)
        assert record.media == ()


def test_others_are_served(trial: Trial) -> None:
    assert trial.harness.state(trial.other) is RequestState.DONE
    assert trial.worker.process.poll() is None


def test_the_key_went_to_the_queue_only_and_no_redirect_was_followed(trial: Trial) -> None:
    assert trial.foreign.received == []
    assert not [path for _, path, sent in trial.fal.received if path.startswith("/files/") and FAL_KEY in sent]
    assert [path for _, path, sent in trial.fal.received if path.startswith("/requests/") and FAL_KEY in sent]


def test_the_log_has_no_traceback_no_forged_line_and_no_secret(trial: Trial) -> None:
    log = trial.harness.logs()
    assert "Traceback" not in log
    assert FAL_KEY not in log
    assert "SECRETWISH" not in log
    assert [line for line in log.splitlines() if not re.match(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) \S", line)] == []
    assert max(map(len, log.splitlines())) < 1000


def test_the_worker_stays_small(trial: Trial) -> None:
    status = Path(f"/proc/{trial.worker.process.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    assert int(peak[1]) < MEMORY_MAX
