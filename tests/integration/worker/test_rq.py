"""What RQ promises its users holds with our worker too: on queues with functions of the tests' own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Retry
from rq.command import send_stop_job_command
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import Worker

from app.worker.put_back import CRASHES_FIELD
from tests.integration.worker import process
from tests.integration.worker.harness import ROOT, Harness, WorkerProcess
from tests.integration.worker.process import PLAIN_QUEUES, callback, name_of
from tests.support.waiting import wait_until


class Rq:
    """RQ as its users see it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.redis: Redis = harness.rq
        self.queue = Queue(PLAIN_QUEUES[0], connection=harness.rq, serializer=JSONSerializer)

    def worker(self, name: str = "imageworker@1", **settings: str) -> WorkerProcess:
        return self.harness.worker(name, TEST_PLAIN="1", **settings)

    def enqueue(self, function: Callable[..., Any] | str, *args: Any, **options: Any) -> Job:
        name = function if isinstance(function, str) else name_of(function)
        return self.queue.enqueue_call(name, args=args, **options)

    def until(self, job: Job, *statuses: JobStatus) -> JobStatus:
        """Wait until a job has reached one of these (or else has ended) and RQ has forgotten its execution."""
        wanted = statuses or (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED)
        wait_until(lambda: job.get_status() in wanted, f"{job.func_name} is one of {wanted}")
        return job.get_status()

    def listed(self, key: str) -> list[str]:
        return [str(entry) for entry in self.harness.redis.lrange(key, 0, -1)]

    def why(self, job: Job) -> str:
        """What RQ has kept of a job's failure."""
        result = job.latest_result()
        return str(result and result.exc_string)

    def failed(self) -> list[str]:
        return list(FailedJobRegistry(queue=self.queue).get_job_ids())


@pytest.fixture
def rq(harness: Harness) -> Rq:
    """RQ without a worker."""
    return Rq(harness)


@pytest.fixture
def served_rq(shared_harness: Harness) -> Iterator[Rq]:
    """RQ with a worker; tests in a row share it."""
    shared_harness.serve(TEST_PLAIN="1")
    yield Rq(shared_harness)
    print(shared_harness.dump())


@pytest.mark.parametrize("function", [process.add, process.add_plainly])
def test_a_function_is_run_whether_it_is_a_coroutine_or_not(served_rq: Rq, function: Callable[..., Any]) -> None:
    job = served_rq.enqueue(function, 2, 3, result_ttl=500, on_success=callback(process.called_back))
    assert served_rq.until(job) == JobStatus.FINISHED
    assert job.return_value() == 5
    assert 0 < served_rq.redis.ttl(job.key) <= 500
    assert served_rq.listed("imagebot:test:called-back") == [job.id]
    [result] = job.results()
    assert result.worker_name == "imageworker@1"


def test_a_job_without_result_ttl_leaves_nothing(served_rq: Rq) -> None:
    job = served_rq.enqueue(process.add, 1, 1, result_ttl=0)
    wait_until(lambda: not served_rq.harness.redis.keys(f"*{job.id}*"), "all is gone")


def test_a_failure_is_listed_called_back_and_kept_for_its_time(served_rq: Rq) -> None:
    job = served_rq.enqueue(process.fail, failure_ttl=500, on_failure=callback(process.called_back))
    assert served_rq.until(job) == JobStatus.FAILED
    assert served_rq.failed() == [job.id]
    assert "as it was told" in served_rq.why(job)
    assert served_rq.listed("imagebot:test:called-back") == [job.id]
    assert served_rq.listed("imagebot:test:given-up") == [f"{job.id} ValueError"]
    score = served_rq.redis.zscore("rq:failed:plain", job.id)
    assert 0 < float(str(score)) - float(served_rq.redis.time()[0]) <= 500


def test_a_failure_is_retried_as_often_as_allowed_and_told_of_once(served_rq: Rq) -> None:
    job = served_rq.enqueue(process.fail, retry=Retry(max=2))
    wait_until(lambda: served_rq.failed() == [job.id], "it is given up")
    assert len(job.results()) == 1
    assert served_rq.harness.log_count("as it was told\n") == 3
    assert served_rq.listed("imagebot:test:given-up") == [f"{job.id} ValueError"]


def test_a_delayed_retry_waits_in_the_registry_and_comes_back(served_rq: Rq) -> None:
    job = served_rq.enqueue(process.fail, retry=Retry(max=1, interval=1))
    wait_until(lambda: served_rq.queue.scheduled_job_registry.get_job_ids() == [job.id], "it waits")
    wait_until(lambda: served_rq.failed() == [job.id], "it is given up")
    assert served_rq.harness.log_count("as it was told\n") == 2


def test_a_job_may_ask_to_come_again(served_rq: Rq) -> None:
    job = served_rq.enqueue(process.come_again, 2)
    assert served_rq.until(job) == JobStatus.FAILED
    assert served_rq.redis.hget(job.key, "number_of_retries") == b"2"


@pytest.mark.parametrize("function", [process.sleep, process.sleep_plainly])
def test_a_job_that_takes_too_long_fails(served_rq: Rq, function: Callable[..., Any]) -> None:
    job = served_rq.enqueue(function, 30, timeout=1)
    assert served_rq.until(job) == JobStatus.FAILED
    assert "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)" in served_rq.why(job)
    assert served_rq.listed("imagebot:test:given-up") == [f"{job.id} JobTimeoutException"]


def test_a_job_is_stopped_on_command_and_its_callback_may_fail(served_rq: Rq) -> None:
    jobs = [served_rq.enqueue(process.sleep, 30, on_stopped=callback(function)) for function in
            (process.called_back, process.fail_when_called_back)]  # fmt: skip
    others = [served_rq.enqueue(process.sleep, 1), served_rq.enqueue(process.sleep_plainly, 1)]
    for job in (*jobs, *others):
        served_rq.until(job, JobStatus.STARTED)
    for job in jobs:
        send_stop_job_command(served_rq.redis, job.id, JSONSerializer)
    assert [served_rq.until(job) for job in jobs] == [JobStatus.STOPPED] * 2
    assert served_rq.listed("imagebot:test:called-back") == [jobs[0].id]
    assert [served_rq.until(job) for job in others] == [JobStatus.FINISHED] * 2


def test_commands_work_after_garbage_and_after_many_jobs(served_rq: Rq) -> None:
    for garbage in ("{", "[]", '{"command": "no-such"}', "{}"):
        served_rq.redis.publish("rq:pubsub:imageworker@1", garbage)
    job = served_rq.enqueue(process.sleep, 30)
    served_rq.until(job, JobStatus.STARTED)
    send_stop_job_command(served_rq.redis, job.id, JSONSerializer)
    assert served_rq.until(job) == JobStatus.STOPPED


def test_a_stop_that_comes_before_a_claimed_job_runs_stops_it(rq: Rq) -> None:
    rq.worker(TEST_LATE_CLAIM="1").until_ready()
    job = rq.enqueue(process.sleep, 5)
    rq.until(job, JobStatus.STARTED)
    send_stop_job_command(rq.redis, job.id, JSONSerializer)
    assert rq.until(job) == JobStatus.STOPPED


def test_a_callback_that_fails_fails_the_job(served_rq: Rq) -> None:
    jobs = [
        served_rq.enqueue(process.add, 1, 1, on_success=callback(process.fail_when_called_back)),
        served_rq.enqueue(process.fail, on_failure=callback(process.fail_when_called_back)),
    ]
    assert [served_rq.until(job) for job in jobs] == [JobStatus.FAILED] * 2


@pytest.mark.parametrize("event", ["on_success", "on_failure", "on_stopped"])
def test_only_allowed_functions_and_callbacks_run(served_rq: Rq, event: str) -> None:
    jobs = [
        served_rq.enqueue("os.system", "touch /tmp/never"),
        served_rq.enqueue(process.never_to_be_called),
        served_rq.enqueue(process.add, 1, 1, **{event: callback(process.never_to_be_called)}),
    ]
    assert [served_rq.until(job) for job in jobs] == [JobStatus.FAILED] * 3
    assert served_rq.listed("imagebot:test:forbidden") == []
    assert sorted(served_rq.listed("imagebot:test:given-up")) == sorted(
        f"{job.id} ForbiddenFunctionError" for job in jobs
    )


def test_suspended_workers_take_nothing_until_they_may_again(served_rq: Rq) -> None:
    served_rq.harness.run_rq("suspend")
    job = served_rq.enqueue(process.add, 1, 2)
    wait_until(lambda: "suspended" in served_rq.harness.run_rq("info", "--raw"), "the worker shows it")
    assert job.get_status() == JobStatus.QUEUED
    served_rq.harness.run_rq("resume")
    assert served_rq.until(job) == JobStatus.FINISHED


def test_as_many_run_at_once_as_the_worker_has_slots(rq: Rq) -> None:
    jobs = [rq.enqueue(process.sleep if number % 2 else process.sleep_plainly, 1.5) for number in range(5)]
    rq.worker(WORKER_CONCURRENCY="4")
    registry = StartedJobRegistry(queue=rq.queue)
    wait_until(lambda: registry.get_job_count() == 4, "four run")
    assert rq.queue.get_job_ids() == [jobs[4].id]
    assert [rq.until(job) for job in jobs] == [JobStatus.FINISHED] * 5


@pytest.mark.parametrize(
    "broken", [{"data": "no JSON"}, {"data": ""}, {"created_at": "yesterday"}, {"timeout": "soon"}]
)
def test_a_record_that_cannot_be_read_fails_its_job_and_not_the_worker(rq: Rq, broken: dict[str, str]) -> None:
    bad, good = rq.enqueue(process.add, 1, 1), rq.enqueue(process.add, 2, 2)
    rq.redis.hset(bad.key, mapping=broken)  # type: ignore[arg-type]  # the stubs want bytes too
    rq.worker()
    assert rq.until(good) == JobStatus.FINISHED
    wait_until(lambda: rq.failed() == [bad.id], "it is given up")
    assert len(rq.listed("imagebot:test:given-up")) == 1


def test_a_job_that_kills_its_worker_twice_is_given_up(rq: Rq) -> None:
    job = rq.enqueue(process.die, retry=Retry(max=3))
    for _ in range(2):
        rq.worker().exit_status()
    survivor = rq.worker()
    assert rq.until(job) == JobStatus.FAILED
    assert rq.listed("imagebot:test:given-up") == [f"{job.id} DeadlyJobError"]
    assert job.retries_left == 3
    assert rq.redis.hget(job.key, CRASHES_FIELD) == b"2"
    assert survivor.stop() == 0


def test_a_stop_does_not_wait_for_a_plain_function(rq: Rq) -> None:
    worker = rq.worker()
    job = rq.enqueue(process.sleep_plainly, 600)
    rq.until(job, JobStatus.STARTED)
    assert worker.stop() == 0
    assert rq.until(job, JobStatus.QUEUED) == JobStatus.QUEUED
    assert rq.queue.get_job_ids() == [job.id]


def test_rq_info_shows_workers_queues_and_what_is_executing(rq: Rq) -> None:
    rq.worker(WORKER_CONCURRENCY="2").until_ready()
    jobs = [rq.enqueue(process.sleep, 8) for _ in range(3)]
    for job in jobs[:2]:
        rq.until(job, JobStatus.STARTED)

    def shows_all() -> bool:
        told = rq.harness.run_rq("info", "--raw")
        return (
            "queue plain 1, 2 executing" in told
            and "worker imageworker@1" in told
            and " busy plain, plain_low" in told
        )

    wait_until(shows_all, "one job waits, two are at work, and the worker is busy")
    [worker] = Worker.all(rq.redis)
    assert sorted(execution.job_id for execution in worker.get_current_executions()) == sorted(
        job.id for job in jobs[:2]
    )
    for job in jobs:
        rq.until(job)
    wait_until(lambda: "idle" in rq.harness.run_rq("info", "--raw"), "it is idle")
    assert "jobs: 3 finished, 0 failed" in rq.harness.run_rq("info", "--raw")


def test_rq_info_in_a_loop_disturbs_nothing(rq: Rq) -> None:
    code = "import sys; from rq.cli import main; main()"
    command = [sys.executable, "-c", code, "info", "--interval", "0.1"]
    environment = {**os.environ, "RQ_REDIS_URL": rq.harness.url}
    loop = [subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        first = rq.worker().until_ready()
        jobs = [rq.enqueue(process.sleep, 1.5) for _ in range(10)]
        for job in jobs:
            rq.until(job, JobStatus.STARTED)
        first.kill()
        rq.worker("imageworker@2")
        assert [rq.until(job) for job in jobs] == [JobStatus.FINISHED] * 10
    finally:
        for tool in loop:
            tool.kill()
            tool.wait()
    assert [len(job.results()) for job in jobs] == [1] * 10
    assert rq.failed() == []
