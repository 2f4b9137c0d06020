"""What fal can answer, and what then becomes of the request, of the job and of the bill."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from app.core import queues
from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.errors import FailureReason
from app.core.operations import Operation
from app.core.requests import RequestState
from tests.integration.worker.harness import Harness
from tests.support.waiting import wait_until

INPUTS = {Operation.CREATE: 0, Operation.EDIT: 1, Operation.MERGE: 3, Operation.RETOUCH: 1, Operation.UPSCALE: 1}


def failed_jobs(harness: Harness) -> list[str]:
    registry = FailedJobRegistry(queues.QUEUE, connection=harness.rq, serializer=JSONSerializer)
    return list(registry.get_job_ids())


def store_inputs(harness: Harness, count: int) -> tuple[str, ...]:
    keys = tuple(f"inputs/{number}.jpg" for number in range(count))
    for key in keys:
        buffer = io.BytesIO()
        Image.new("RGB", (96, 64), "orange").save(buffer, "JPEG")
        path: Path = harness.media / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(buffer.getvalue())
    return keys


@pytest.mark.parametrize("operation", list(Operation))
def test_every_operation_makes_a_picture(served: Harness, operation: Operation) -> None:
    inputs = store_inputs(served, INPUTS[operation])
    request_id = served.order(operation=operation, inputs=inputs)
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "done"]
    assert len(served.pictures(request_id)) == 1
    [job] = served.fal_jobs()
    pictures = job["payload"].get("image_urls", [job["payload"].get("image_url")])
    assert len([url for url in pictures if url]) == len(inputs)
    assert job["endpoint"] == DEFAULT_ENDPOINTS[operation]
    kept = json.loads(job["headers"]["X-Fal-Object-Lifecycle-Preference"])
    assert kept == {"expiration_duration_seconds": 7 * 24 * 3600}


@pytest.mark.parametrize(
    ("kind", "reason", "billed"),
    [
        ("policy", FailureReason.POLICY, 1),
        ("no_media", FailureReason.POLICY, 1),
        ("too_small", FailureReason.BAD_INPUT, 1),
        ("face", FailureReason.NO_FACE, 1),
    ],
)
def test_a_refusal_is_the_requests_own_and_not_a_failed_job(
    served: Harness, kind: str, reason: FailureReason, billed: int
) -> None:
    request_id = served.order(f"a fox [sim:{kind}] [sim:latency=0]")
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "failed"]
    assert served.record(request_id).reason is reason
    assert served.job(request_id).return_value() == {"state": "failed", "reason": reason}
    assert failed_jobs(served) == []
    assert served.counts()["billed"] == billed
    served.assert_nothing_left()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        *(
            (kind, FailureReason.INTERNAL)
            for kind in ("broken_image", "truncated_image", "empty_image", "html_image")
        ),
        *((kind, FailureReason.INTERNAL) for kind in ("foreign_host", "bomb", "no_images")),
        *((kind, FailureReason.PROVIDER_DOWN) for kind in ("missing_file", "bad_json")),  # believed after a while
    ],
)
def test_a_result_that_is_no_sound_picture_is_not_stored_and_the_job_is_listed_as_failed(
    served: Harness, kind: str, reason: FailureReason
) -> None:
    request_id = served.order(f"a fox [sim:{kind}] [sim:latency=0]")
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "failed"]
    assert served.record(request_id).reason is reason
    assert failed_jobs(served) == [request_id]
    assert not list(served.media.glob(f"results/**/{request_id}*"))
    assert served.counts()["submits"] == 1


def test_a_download_that_breaks_is_repeated(served: Harness) -> None:
    served.fault("drop_answer", call="file")
    request_id = served.order()
    served.until_ended([request_id])
    served.assert_each_done_once([request_id])


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("submit", 429),
        ("status", 429),
        ("status", 503),
        ("result", 500),
        ("file", 503),
    ],
)
def test_a_call_that_fails_in_passing_is_repeated(served: Harness, call: str, status: int) -> None:
    served.fault("status", call=call, status=status, retry_after=0.1)
    request_id = served.order()
    served.until_ended([request_id])
    served.assert_each_done_once([request_id])
    assert served.counts()["by_status"][call][str(status)] == 1


@pytest.mark.parametrize("kind", ["error500", "runner503", "timeout504"])
def test_a_model_that_fails_in_passing_is_asked_again_unbilled_and_started_is_told_once(
    served: Harness, kind: str
) -> None:
    served.fault(kind)
    request_id = served.order()
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "done"]
    assert (served.counts()["submits"], served.counts()["billed"]) == (2, 1)


def test_a_model_that_goes_on_failing_fails_the_request(served: Harness) -> None:
    served.fault("error500", times=-1)
    request_id = served.order()
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "failed"]
    assert served.record(request_id).reason is FailureReason.PROVIDER_DOWN
    assert (served.counts()["submits"], served.counts()["billed"]) == (3, 0)


def test_an_input_that_is_gone_fails_the_request(served: Harness) -> None:
    request_id = served.order(operation=Operation.EDIT, inputs=("inputs/gone.jpg",))
    served.until_ended([request_id])
    assert served.events(request_id) == ["failed"]
    assert served.counts()["submits"] == 0


@pytest.mark.parametrize("recorded_first", [True, False])
def test_a_running_request_is_cancelled_at_fal_too(served: Harness, recorded_first: bool) -> None:
    request_id = served.order("a fox [sim:latency=30]")
    served.until_state(request_id, RequestState.SUBMITTED)
    if recorded_first:
        assert served.cancel(request_id)
    queues.stop(served.rq, request_id)
    served.until_ended([request_id])
    assert served.events(request_id) == ["started", "cancelled"]
    assert (served.counts()["cancels"], served.counts()["billed"]) == (1, 0)
    served.assert_nothing_left()


def test_stopping_what_is_not_there_or_has_ended_does_nothing(served: Harness) -> None:
    queues.stop(served.rq, "no-such-request")
    request_id = served.order()
    served.until_ended([request_id])
    queues.stop(served.rq, request_id)
    served.assert_each_done_once([request_id])


def test_a_request_cancelled_during_its_submit_is_cancelled_at_fal(served: Harness) -> None:
    served.fault("delay_answer", call="submit", delay_s=1.5)
    request_id = served.order("a fox [sim:latency=30]")
    wait_until(lambda: served.counts()["jobs"] == 1, "fal has the request")
    assert served.cancel(request_id)
    wait_until(lambda: served.counts()["cancels"] == 1, "fal is told")
    served.until_ended([request_id])
    assert served.events(request_id) == ["cancelled"]
    assert served.counts()["billed"] == 0


def test_no_more_are_in_progress_at_fal_than_the_account_may_run(harness: Harness) -> None:
    for name in ("imageworker@1", "imageworker@2"):
        harness.worker(name, FAL_CONCURRENCY="3").until_ready()
    ids = harness.orders(12)
    harness.until_ended(ids)
    harness.assert_each_done_once(ids)
    assert harness.counts()["in_progress_max"] <= 3
    assert harness.counts()["in_queue_max"] == 0


def test_a_vip_does_not_stand_behind_a_batch(harness: Harness) -> None:
    batch = [harness.order(f"batch {number} [sim:latency=0.3]", queues.QUEUE_LOW) for number in range(6)]
    vip = harness.order("vip [sim:latency=0.3]", queues.QUEUE_HIGH)
    harness.worker(FAL_CONCURRENCY="2", LOW_PRIORITY_SHARE="1")
    harness.until_ended([*batch, vip])
    prompts = [job["payload"]["prompt"] for job in sorted(harness.fal_jobs(), key=lambda job: job["submitted_at"])]
    assert "vip [sim:latency=0.3]" in prompts[:2]


def test_a_queued_request_is_cancelled_and_never_submitted(harness: Harness) -> None:
    request_id = harness.order()
    assert harness.cancel(request_id)
    queues.stop(harness.rq, request_id)
    other = harness.order()
    harness.worker()
    harness.until_ended([other])
    assert harness.events(request_id) == ["cancelled"]
    assert not harness.cancel(request_id)
    assert harness.counts()["submits"] == 1


def test_inputs_that_fal_does_not_take_now_are_uploaded_again(harness: Harness) -> None:
    harness.worker()
    harness.fault("status", call="token", status=503)
    harness.fault("status", call="upload", status=401)
    request_id = harness.order(operation=Operation.EDIT, inputs=store_inputs(harness, 1))
    harness.until_ended([request_id])
    assert harness.events(request_id) == ["started", "done"]
