"""Keys that RQ gives names to are spelled as RQ spells them."""

from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, Execution, ExecutionRegistry
from rq.job import Job
from rq.queue import Queue
from rq.registry import StartedJobRegistry

from app.core import redis_keys


def test_rqs_keys_are_spelled_as_rq_spells_them() -> None:
    assert redis_keys.rq_job("j") == Job.redis_job_namespace_prefix + "j"
    assert redis_keys.rq_queue("q") == Queue.redis_queue_namespace_prefix + "q"
    assert redis_keys.rq_running("q") == StartedJobRegistry.key_template.format("q")
    assert redis_keys.rq_executions("j") == ExecutionRegistry.key_template.format("j")
    assert redis_keys.rq_worker_executions("w") == WORKER_EXECUTIONS_KEY_TEMPLATE.format("w")
    assert redis_keys.rq_execution("j:e") == Execution("e", "j", connection=None).key  # type: ignore[arg-type]  # it is never used
