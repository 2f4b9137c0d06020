"""The queue's wire form: what fal answers to submit, status, result and cancel."""

import pytest

from .conftest import CREATE, Fal


def test_submit_answers_with_addresses_that_carry_only_owner_and_app(fal: Fal) -> None:
    job = fal.submit(endpoint="fal-ai/bytedance/seedream/v4.5/text-to-image")
    base = f"{fal.url}/fal-ai/bytedance/requests/{job['request_id']}"
    assert job == {
        "status": "IN_QUEUE",
        "request_id": job["request_id"],
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
        "logs": None,
        "metrics": {},
        "queue_position": 0,
    }


@pytest.mark.parametrize("header", [{}, {"Authorization": "Key wrong"}, {"Authorization": "Bearer x"}])
def test_no_call_without_the_key(fal: Fal, header: dict[str, str]) -> None:
    job = fal.submit()
    assert fal.anyone.post(f"{fal.url}/{CREATE}", json={"prompt": "x"}, headers=header).status_code == 401
    assert fal.anyone.get(job["status_url"], headers=header).status_code == 401
    assert fal.anyone.get(job["response_url"], headers=header).status_code == 401
    assert fal.anyone.put(job["cancel_url"], headers=header).status_code == 401
    assert fal.counts()["jobs"] == 1


def test_an_exhausted_balance_locks_submit(fal: Fal) -> None:
    fal.simulator.post("/control/settings", balance="exhausted")
    answer = fal.http.post(f"{fal.url}/{CREATE}", json={"prompt": "x"})
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("User is locked. Reason: Exhausted balance")
    fal.simulator.post("/control/settings", balance="ok")
    fal.submit()


def test_an_unknown_application_is_not_found_at_once_but_a_wrong_path_only_at_the_result(fal: Fal) -> None:
    assert fal.http.post(f"{fal.url}/fal-ai/no-such-app", json={"prompt": "x"}).status_code == 404
    assert fal.run(endpoint="fal-ai/flux/no-such-path").status_code == 404
    assert fal.counts()["billed"] == 0


def test_statuses_on_the_way(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    running, first, second = fal.submit(), fal.submit(), fal.submit("x [sim:latency=0]")
    status = fal.status(running, logs=0)
    assert (status.status_code, status.json()["status"], status.json()["logs"]) == (202, "IN_PROGRESS", None)
    assert fal.status(running, logs=1).json()["logs"][0]["message"]
    assert [fal.status(job).json()["queue_position"] for job in (first, second)] == [0, 1]
    assert (first["queue_position"], second["queue_position"]) == (0, 1)
    early = fal.http.get(second["response_url"])
    assert (early.status_code, early.json()) == (400, {"detail": "Request is still in progress"})
    fal.http.put(running["cancel_url"])
    assert fal.status(first).json()["status"] == "IN_PROGRESS"
    fal.http.put(first["cancel_url"])
    assert fal.result(second).status_code == 200
    done = fal.status(second)
    assert (done.status_code, done.json()["status"]) == (200, "COMPLETED")
    assert done.json()["metrics"]["inference_time"] >= 0


def test_only_the_accounts_limit_is_in_progress_and_the_others_wait_in_order(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=2)
    jobs = [fal.submit() for _ in range(5)]
    assert [fal.status(job).json()["status"] for job in jobs] == ["IN_PROGRESS"] * 2 + ["IN_QUEUE"] * 3
    fal.simulator.post("/control/settings", concurrency_limit=4)
    assert fal.counts()["in_progress"] == 4
    assert fal.counts()["in_progress_max"] == 4
    assert fal.counts()["in_queue_max"] == 3


def test_a_low_priority_request_waits_behind_normal_ones(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    fal.submit()
    low = fal.http.post(f"{fal.url}/{CREATE}", json={"prompt": "x"}, headers={"X-Fal-Queue-Priority": "low"}).json()
    fal.submit()
    assert fal.status(low).json()["queue_position"] == 1


def test_fal_max_queue_length_refuses_with_429(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    fal.submit()
    fal.submit()
    url = f"{fal.url}/{CREATE}?fal_max_queue_length="
    assert fal.http.post(url + "2", json={"prompt": "x"}).status_code == 200
    assert fal.http.post(url + "2", json={"prompt": "x"}).status_code == 429
    assert fal.counts()["jobs"] == 3


def test_a_start_timeout_ends_a_request_that_still_waits(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    fal.submit()
    headers = {"X-Fal-Request-Timeout": "1.1"}
    job = fal.http.post(f"{fal.url}/{CREATE}", json={"prompt": "x"}, headers=headers).json()
    result = fal.result(job)
    assert (result.status_code, result.headers["X-Fal-Error-Type"]) == (504, "request_timeout")
    assert fal.status(job).json()["error_type"] == "request_timeout"


def test_cancel_before_the_end_costs_nothing(fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    running, waiting = fal.submit(), fal.submit()
    for job in (waiting, running):
        answer = fal.http.put(job["cancel_url"])
        assert (answer.status_code, answer.json()) == (202, {"status": "CANCELLATION_REQUESTED"})
        result = fal.result(job)
        assert (result.status_code, result.json()["error_type"]) == (499, "client_cancelled")
    assert fal.counts()["billed"] == 0


def test_cancel_after_the_end_or_of_nothing(fal: Fal) -> None:
    job = fal.submit("x [sim:latency=0]")
    fal.result(job)
    answer = fal.http.put(job["cancel_url"])
    assert (answer.status_code, answer.json()) == (400, {"status": "ALREADY_COMPLETED"})
    answer = fal.http.put(f"{fal.url}/fal-ai/flux/requests/none/cancel")
    assert (answer.status_code, answer.json()) == (404, {"status": "NOT_FOUND"})


def test_a_running_job_may_complete_although_cancelled(fal: Fal) -> None:
    job = fal.submit("x [sim:cancel_ignored] [sim:latency=1.5]")
    assert fal.http.put(job["cancel_url"]).status_code == 202
    assert fal.result(job).status_code == 200
    assert fal.counts()["billed"] == 1


def test_a_job_belongs_to_its_own_application(fal: Fal) -> None:
    job = fal.submit()
    other = job["status_url"].replace("fal-ai/flux", "fal-ai/nano-banana")
    assert fal.http.get(other).status_code == 404


def test_results_are_kept_for_a_while_only(fal: Fal) -> None:
    job = fal.submit("x [sim:latency=0]")
    fal.result(job)
    fal.simulator.post("/control/settings", result_ttl_s=0)
    assert fal.http.get(job["response_url"]).status_code == 404


def test_the_stream_tells_each_change_and_ends(fal: Fal) -> None:
    job = fal.submit("x [sim:latency=1.5]")
    body = fal.http.get(job["status_url"] + "/stream").text
    assert [word for word in ("IN_PROGRESS", "COMPLETED") if f'"status": "{word}"' in body] == [
        "IN_PROGRESS",
        "COMPLETED",
    ]
    assert body.count("data: ") == 2


def test_every_call_is_counted_and_every_job_logged(fal: Fal) -> None:
    done = fal.submit("first [sim:latency=0]", num_images=2)
    urls = [image["url"] for image in fal.result(done).json()["images"]]
    for url in urls:
        fal.http.get(url)
    fal.submit("second [sim:never]")
    counts = fal.counts()
    assert (counts["submits"], counts["billed"], counts["results"], counts["file_gets"]) == (2, 1, 1, 2)
    assert counts["by_status"]["status"]["200"] == 1
    first, second = fal.simulator.get("/control/jobs")
    assert first["endpoint"] == CREATE
    assert first["payload"] == {"prompt": "first [sim:latency=0]", "num_images": 2}
    assert first["polls"] == counts["status_polls"]
    assert first["submitted_at"] <= first["started_at"] <= first["completed_at"] <= first["fetched_at"]
    assert (first["billed"], second["billed"], second["completed_at"]) == (1, 0, None)
