"""What we lean on in RQ beyond its documented interface, all of it: a new release of RQ is tried against this first.

That RQ behaves as we use it is held by ``tests/integration/worker/test_rq.py``, on a real Redis.
"""

import importlib.metadata
import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Queue, command
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution
from rq.job import Job
from rq.registry import (
    BaseRegistry,
    CanceledJobRegistry,
    FailedJobRegistry,
    FinishedJobRegistry,
    ScheduledJobRegistry,
    StartedJobRegistry,
)
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.suspension import WORKERS_SUSPENDED
from rq.timeouts import TimerDeathPenalty
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS

from app.worker.rq_adapter import RqAdapter

ROOT = Path(__file__).resolve().parents[3]
ELSEWHERE = Redis(port=1)
"""Never connected to."""

CALLED = {
    "_finalize_success": ["job", "queue", "execution", "return_value"],
    "_finalize_failure": ["job", "queue", "execution", "exc_info"],
    "_set_ip_address": ["connection"],
    "bootstrap": ["logging_level", "date_format", "log_format"],
    "clean_group_registries": [],
    "clean_registries": [],
    "handle_execution_ended": ["job", "queue", "heartbeat_ttl"],
    "handle_job_failure": ["job", "queue", "started_job_registry", "exc_string", "execution"],
    "heartbeat": ["timeout", "pipeline"],
    "set_state": ["state", "pipeline"],
    "teardown": [],
}
"""Methods of RQ's worker that ours calls, and their parameters."""

OVERRIDDEN = {
    "_pubsub_exception_handler": ["exc", "pubsub", "pubsub_thread"],
    "cleanup_execution": ["job", "pipeline", "execution"],
    "handle_payload": ["message"],
    "register_birth": [],
    "request_stop_execution": ["execution_id"],
    "stop_scheduler": [],
    "subscribe": [],
}
"""Methods that RQ's own code calls, and ours replace."""


def parameters(owner: type, method: str) -> list[str]:
    return list(inspect.signature(getattr(owner, method)).parameters)[1:]


def test_the_minor_release_that_was_tested_is_the_one_that_is_installed() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [need for need in needs if re.match(r"rq\W", need)] == ["rq>=3.0,<3.1"]
    assert importlib.metadata.version("rq").startswith("3.0.")


@pytest.mark.parametrize("method", [*CALLED, *OVERRIDDEN])
def test_the_workers_methods_take_what_they_took(method: str) -> None:
    assert parameters(BaseWorker, method) == (CALLED | OVERRIDDEN)[method]


@pytest.mark.parametrize("method", OVERRIDDEN)
def test_ours_stand_in_for_them(method: str) -> None:
    ours = [name.lstrip("_") for name in parameters(RqAdapter, method)]
    assert ours == [name.lstrip("_") for name in OVERRIDDEN[method]]
    assert method in vars(RqAdapter)


def test_the_worker_calls_what_we_override_and_asks_what_we_answer() -> None:
    source = inspect.getsource(BaseWorker) + inspect.getsource(command)
    assert all(re.search(rf"\b(self|worker)\.{method}\b", source) for method in OVERRIDDEN)
    assert isinstance(vars(BaseWorker)["connection_timeout"], property)
    assert isinstance(vars(BaseWorker)["should_run_maintenance_tasks"], property)


def test_a_worker_that_is_not_prepared_has_not_asked_redis_and_has_the_fields_we_use() -> None:
    worker = BaseWorker(["a"], name="w", connection=ELSEWHERE, prepare_for_work=False, serializer=JSONSerializer)
    fields = {"_state": str, "_stopped_job_id": type(None), "executions": dict, "pubsub_thread": type(None)}
    fields |= {"scheduler": type(None), "hostname": type(None), "pid": type(None)}
    assert {name: type(getattr(worker, name)) for name in fields} == fields
    assert (worker.key, worker.name, [queue.key for queue in worker.queues]) == ("rq:worker:w", "w", ["rq:queue:a"])


def test_the_scheduler_can_be_used_without_its_process() -> None:
    used = {"register_birth": [], "acquire_locks": ["auto_start"], "enqueue_scheduled_jobs": [], "stop": []}
    assert {method: parameters(RQScheduler, method) for method in used} == used
    assert isinstance(vars(RQScheduler)["acquired_locks"], property)


def test_a_jobs_hash_is_restored_without_importing_what_it_names() -> None:
    job = Job("j", connection=ELSEWHERE, serializer=JSONSerializer)
    job.restore(
        {
            b"created_at": b"2026-01-01T00:00:00.000000Z",
            b"data": json.dumps(["no.such.function", None, ["x"], {}]).encode(),
            b"success_callback_name": b"no.such.callback",
            b"retries_left": b"2",
        }
    )
    assert (job.func_name, tuple(job.args), job.kwargs) == ("no.such.function", ("x",), {})
    assert job._success_callback_name == "no.such.callback"
    assert (job._failure_callback_name, job._stopped_callback_name, job.retries_left) == (None, None, 2)
    assert job.should_retry
    mine: Any = print
    job._success_callback = job._failure_callback = job._stopped_callback = mine
    assert (job.success_callback, job.failure_callback, job.stopped_callback) == (mine, mine, mine)


def test_an_execution_takes_the_job_it_is_given() -> None:
    execution = Execution("e", "j", ELSEWHERE, "w")
    execution._job = job = Job("j", connection=ELSEWHERE, serializer=JSONSerializer)
    assert execution.job is job
    assert (execution.key, execution.composite_key) == ("rq:execution:j:e", "j:e")


def test_the_time_limit_of_callbacks_takes_an_exception_class() -> None:
    assert list(inspect.signature(TimerDeathPenalty.__init__).parameters)[1:] == ["timeout", "exception", "kwargs"]


def test_keys_are_named_as_our_scripts_name_them() -> None:
    """Scripts and ``app/worker/after_death.py`` cannot ask RQ."""
    registries: dict[type[BaseRegistry], str] = {
        StartedJobRegistry: "rq:wip:a",
        ScheduledJobRegistry: "rq:scheduled:a",
        FinishedJobRegistry: "rq:finished:a",
        FailedJobRegistry: "rq:failed:a",
        CanceledJobRegistry: "rq:canceled:a",
    }
    for registry, key in registries.items():
        assert registry("a", connection=ELSEWHERE).key == registry.key_template.format("a") == key
    assert Queue("a", connection=ELSEWHERE).key == Queue.redis_queue_namespace_prefix + "a" == "rq:queue:a"
    assert Job("j", connection=ELSEWHERE).key == "rq:job:j"
    assert Job.redis_job_namespace_prefix == "rq:job:"
    assert WORKER_EXECUTIONS_KEY_TEMPLATE.format("w") == "rq:worker:w:executions"
    assert (WORKERS_SUSPENDED, REDIS_WORKER_KEYS) == ("rq:suspended", "rq:workers")
