"""The knobs: every way in which a job, a call or a picture can go wrong."""

import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.simulators.fal.faults import ENDINGS
from tests.simulators.fal.latency import Latency

from .conftest import CREATE, Fal

MODEL_ERRORS = [name for name, end in ENDINGS.items() if end.status != 200 and not end.infrastructure]
QUEUE_ERRORS = [name for name, end in ENDINGS.items() if end.infrastructure]


@pytest.mark.parametrize("kind", MODEL_ERRORS)
def test_a_models_error_comes_with_the_result_and_not_with_the_status(fal: Fal, kind: str) -> None:
    job = fal.submit(f"a cat [sim:{kind}] [sim:latency=0]")
    answer = fal.result(job)
    assert answer.status_code == ENDINGS[kind].status
    detail = answer.json()["detail"][0]
    assert detail["type"] == ENDINGS[kind].type
    assert "a cat" in str(detail["input"])
    assert "error" not in fal.status(job).json()
    assert fal.counts()["billed"] == (answer.status_code < 500)


@pytest.mark.parametrize("kind", QUEUE_ERRORS)
def test_an_error_of_the_queue_names_its_type_in_header_and_status(fal: Fal, kind: str) -> None:
    job = fal.submit(f"a cat [sim:{kind}] [sim:latency=0]")
    answer = fal.result(job)
    assert answer.status_code == ENDINGS[kind].status
    assert answer.json() == {"detail": ENDINGS[kind].message, "error_type": ENDINGS[kind].type}
    assert answer.headers["X-Fal-Error-Type"] == ENDINGS[kind].type
    assert fal.status(job).json()["error_type"] == ENDINGS[kind].type
    assert fal.counts()["billed"] == 0


def _file(fal: Fal, kind: str) -> httpx.Response:
    image = fal.run(f"[sim:{kind}]").json()["images"][0]
    return fal.anyone.get(image["url"])


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


@pytest.mark.parametrize("kind", ["broken_image", "truncated_image", "empty_image", "bomb"])
def test_a_spoiled_picture_is_served_as_if_it_were_sound(fal: Fal, kind: str) -> None:
    answer = _file(fal, kind)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert not _decodes(answer.content)


def test_other_spoiled_files(fal: Fal) -> None:
    assert _file(fal, "html_image").headers["Content-Type"] == "text/html"
    assert _file(fal, "wrong_type").headers["Content-Type"] == "text/plain"
    assert _decodes(_file(fal, "wrong_type").content)
    assert _file(fal, "missing_file").status_code == 404
    with pytest.raises(httpx.RemoteProtocolError):
        _file(fal, "cut_image")
    foreign = fal.run("[sim:foreign_host]").json()["images"][0]["url"]
    assert httpx.URL(foreign).host == "pictures.foreign.example"


def test_malformed_results(fal: Fal) -> None:
    assert fal.run("[sim:no_images]").json()["images"] == []
    answer = fal.run("[sim:bad_json]")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


def test_a_dropped_answer_leaves_a_job_behind(fal: Fal) -> None:
    fal.simulator.post("/control/faults", kind="drop_answer", call="submit")
    with pytest.raises(httpx.TransportError):
        fal.submit()
    assert fal.counts()["jobs"] == 1
    assert fal.counts()["by_status"]["submit"] == {"dropped": 1}
    fal.simulator.post("/control/faults", kind="drop_request", call="submit")
    with pytest.raises(httpx.TransportError):
        fal.submit()
    assert fal.counts()["jobs"] == 1


def test_a_late_answer_is_a_read_timeout_to_an_impatient_client(fal: Fal) -> None:
    fal.simulator.post("/control/faults", kind="delay_answer", call="submit", delay_s=1)
    with pytest.raises(httpx.ReadTimeout):
        fal.http.post(f"{fal.url}/{CREATE}", json={"prompt": "[sim:never]"}, timeout=0.2)
    assert fal.counts()["jobs"] == 1


@pytest.mark.parametrize("call", ["submit", "status", "result", "cancel", "file"])
def test_any_call_can_be_made_to_fail_some_times(fal: Fal, call: str) -> None:
    job = fal.submit("x [sim:latency=0]")
    url = fal.result(job).json()["images"][0]["url"]
    calls = {
        "submit": ("POST", f"{fal.url}/{CREATE}"),
        "status": ("GET", job["status_url"]),
        "result": ("GET", job["response_url"]),
        "cancel": ("PUT", job["cancel_url"]),
        "file": ("GET", url),
    }
    fault: dict[str, Any] = {"kind": "status", "call": call, "status": 429, "retry_after": 2, "times": 2}
    fal.simulator.post("/control/faults", **fault)
    method, address = calls[call]
    answers = [fal.http.request(method, address, json={"prompt": "y"}) for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [429, 429]
    assert answers[2].status_code != 429
    assert answers[0].headers["Retry-After"] == "2"


def test_faults_for_the_next_jobs_or_for_those_with_a_word(fal: Fal) -> None:
    fal.simulator.post("/control/faults", kind="error500", times=2)
    fal.simulator.post("/control/faults", kind="policy", prompt="dragon", times=-1)
    fal.simulator.post("/control/faults", kind="status", call="submit", status=503, prompt="кот")
    assert fal.http.post(f"{fal.url}/{CREATE}", json={"prompt": "рыжий кот"}).status_code == 503
    prompts = ("cat", "dragon", "cat", "dragon", "dragon")
    assert [fal.run(prompt).status_code for prompt in prompts] == [500, 500, 200, 422, 422]


def test_shares_of_errors(fal: Fal) -> None:
    fal.simulator.post("/control/settings", errors=[{"kind": "policy", "share": 1.0}])
    assert fal.run().status_code == 422


def test_a_wrong_knob_is_refused(fal: Fal) -> None:
    for path, body in [
        ("faults", {"kind": "no-such"}),
        ("settings", {"no_such": 1}),
        ("faults", {"x": 1}),
        ("settings", {"errors": [{"kind": "no-such", "share": 1}]}),
    ]:
        assert fal.anyone.post(f"{fal.url}/control/{path}", json=body).status_code == 400


def test_latency_is_log_normal_and_repeatable() -> None:
    latency = Latency(24, 45, seed=3)
    draws = sorted(latency.draw() for _ in range(20_000))
    assert draws[10_000] == pytest.approx(24, rel=0.03)
    assert draws[19_000] == pytest.approx(45, rel=0.03)
    first, again = Latency(24, 45, seed=3), Latency(24, 45, seed=3)
    assert [first.draw() for _ in range(5)] == [again.draw() for _ in range(5)]
