"""fal's answers, sorted: what is final, what passes, and what nobody can know."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import httpx
import pytest

from app.core.errors import FailureReason, RequestFailedError
from app.core.requests import FalRequest
from app.worker import fal_http, fal_queue
from app.worker.fal_answers import AccountError, ModelFailedError, SubmitOutcomeUnknownError
from app.worker.fal_queue import FalProgress, FalQueue
from app.worker.fal_shapes import FalStatus
from app.worker.retry_policy import DoubtfulError, TransientError
from tests.hostile.answers import BODIES

QUEUE = "https://queue.example"
ACCEPTED = {"request_id": "r"} | {
    name: f"{QUEUE}/app/requests/r/{name}" for name in ("status_url", "response_url", "cancel_url")
}
REQUEST = FalRequest("r", f"{QUEUE}/s", f"{QUEUE}/r", f"{QUEUE}/c", "endpoint", 0.0)
Answer = Callable[[httpx.Request], httpx.Response]


def fal(answer: Answer) -> FalQueue:
    """A client whose every call gets this answer."""
    return FalQueue("id:secret", QUEUE, ("fal.example", "*.fal.example"), transport=httpx.MockTransport(answer))


def says(status: int, body: Any = None, **headers: str) -> Answer:
    content = {"text": body} if isinstance(body, str) else {"json": body}
    return lambda _: httpx.Response(status, headers=headers, **content)


def breaks(error: type[httpx.RequestError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return answer


async def test_a_submit_gives_what_fal_answered() -> None:
    accepted = await fal(says(200, ACCEPTED)).submit("owner/app", {"prompt": "a fox"})
    assert (accepted.request_id, accepted.status_url) == ("r", ACCEPTED["status_url"])
    assert accepted.endpoint == "owner/app"


async def test_a_submit_has_a_connection_of_its_own_without_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of HTTP/2 is shared: its end, or a cancelled neighbour, would break a submit that fal has taken."""
    used = []

    def transport(*, http2: bool, **_options: Any) -> httpx.MockTransport:
        def answer(request: httpx.Request) -> httpx.Response:
            used.append((request.method, http2))
            return says(200, ACCEPTED if request.method == "POST" else {"status": "IN_QUEUE"})(request)

        return httpx.MockTransport(answer)

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", transport)
    queue = FalQueue("id:secret", QUEUE, ())
    await queue.submit("owner/app", {})
    await queue.status(REQUEST)
    assert used == [("POST", False), ("GET", True)]


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_a_submit_that_was_never_sent_may_be_repeated(error: type[httpx.RequestError]) -> None:
    with pytest.raises(TransientError):
        await fal(breaks(error)).submit("owner/app", {})


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
async def test_a_submit_without_an_answer_has_an_unknown_outcome(error: type[httpx.RequestError]) -> None:
    with pytest.raises(SubmitOutcomeUnknownError):
        await fal(breaks(error)).submit("owner/app", {})


@pytest.mark.parametrize(
    "answer",
    [
        *(says(status) for status in (302, 408, 500, 502, 503, 504, 522)),
        says(200, "<html>"),
        says(200, {}),
        says(200, []),
    ],
)
async def test_so_has_one_whose_answer_does_not_tell_what_became_of_it(answer: Answer) -> None:
    with pytest.raises(SubmitOutcomeUnknownError):
        await fal(answer).submit("owner/app", {})


async def test_fal_may_say_that_it_did_not_take_a_submit_and_when_to_come_again() -> None:
    with pytest.raises(TransientError) as caught:
        await fal(says(429, **{"Retry-After": "7"})).submit("owner/app", {})
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "No user found for Key ID and Secret"),
        (402, "Payment required"),
        (403, "User is locked. Reason: Exhausted balance."),
        (403, "User is locked. Reason: TOP_UP."),
    ],
)
async def test_any_trouble_of_the_account_is_told_from_a_refusal_in_fals_words(status: int, said: str) -> None:
    answer = says(status, {"detail": f"{said}\x1b[31m\n\u202e"})
    for call in (fal(answer).submit("owner/app", {}), fal(answer).status(REQUEST), fal(answer).result(REQUEST)):
        with pytest.raises(AccountError) as caught:
            await call
        assert caught.value.said == f"{said} [31m"


async def test_an_accounts_trouble_is_told_at_length_only_once() -> None:
    with pytest.raises(AccountError) as caught:
        await fal(says(403, {"detail": "x" * 10_000})).submit("owner/app", {})
    assert len(caught.value.said) == 200


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (422, {"detail": [{"type": "content_policy_violation", "input": "the prompt"}]}, FailureReason.POLICY),
        (422, {"detail": [{"type": "no_media_generated"}]}, FailureReason.POLICY),
        (422, {"detail": [{"type": "image_too_small", "input": "the prompt"}]}, FailureReason.BAD_INPUT),
        (422, {"detail": [{"type": "face_detection_error"}]}, FailureReason.NO_FACE),
        (400, {"detail": "the prompt is bad"}, FailureReason.BAD_INPUT),
        (413, {"detail": "too large"}, FailureReason.BAD_INPUT),
        (418, {"detail": [{"type": "teapot"}]}, FailureReason.INTERNAL),
    ],
)
async def test_refusals_have_a_reason_and_never_quote_the_prompt(
    status: int, body: Any, reason: FailureReason
) -> None:
    for call in (fal(says(status, body)).submit("owner/app", {}), fal(says(status, body)).result(REQUEST)):
        with pytest.raises(RequestFailedError) as caught:
            await call
        assert caught.value.reason is reason
        assert "prompt" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 400, 418, 429, 500, 503, 522, 530])
async def test_once_fal_has_a_request_no_odd_answer_ends_it(status: int) -> None:
    queue = fal(says(status, "<html>from a proxy</html>"))
    for call in (queue.status(REQUEST), queue.result(REQUEST)):
        with pytest.raises(TransientError) as caught:
            await call
        assert not isinstance(caught.value, DoubtfulError)


@pytest.mark.parametrize("status", [404, 410])
async def test_that_fal_does_not_know_a_request_is_doubted(status: int) -> None:
    queue = fal(says(status, {"detail": "Request not found"}))
    for call in (queue.status(REQUEST), queue.result(REQUEST), queue.fetch("https://fal.example/a.png")):
        with pytest.raises(DoubtfulError):
            await call


async def test_a_file_that_is_refused_may_be_had_later() -> None:
    with pytest.raises(DoubtfulError):
        await fal(says(403)).fetch("https://fal.example/a.png")
    with pytest.raises(TransientError):
        await fal(says(522)).fetch("https://fal.example/a.png")


async def test_the_key_is_sent_to_the_queue_and_to_no_other_host() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ACCEPTED | {"cancel_url": "https://evil.example/cancel"})

    with pytest.raises(RequestFailedError, match=r"evil\.example"):
        await fal(answer).submit("owner/app", {})
    await fal(answer).fetch("https://v3.fal.example/files/a.png")
    assert [request.headers.get("Authorization") for request in seen] == ["Key id:secret", None]


@pytest.mark.parametrize(("seconds", "said"), [(0, None), (86_400, '{"expiration_duration_seconds": 86400}')])
async def test_a_submit_says_how_long_what_is_drawn_is_to_be_kept(seconds: int, said: str | None) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ACCEPTED)

    queue = FalQueue("id:secret", QUEUE, (), keep_seconds=seconds, transport=httpx.MockTransport(answer))
    await queue.submit("owner/app", {})
    assert seen[0].headers.get("X-Fal-Object-Lifecycle-Preference") == said
    assert "X-Fal-Store-IO" not in seen[0].headers  # it would take away results that a restarted worker needs


async def test_a_status_tells_how_far_and_how_long() -> None:
    completed = await fal(says(200, {"status": "COMPLETED", "metrics": {"inference_time": 3.5}})).status(REQUEST)
    assert (completed.status, completed.inference_time) == (FalStatus.COMPLETED, 3.5)
    waiting = await fal(says(202, {"status": "IN_QUEUE", "metrics": None})).status(REQUEST)
    assert (waiting.status, waiting.inference_time) == (FalStatus.IN_QUEUE, None)


@pytest.mark.parametrize("answer", [says(200, {"status": "NEW_WORD"}), says(200, "<html>"), says(200, []), says(503)])
async def test_a_status_that_cannot_be_read_is_asked_for_again(answer: Answer) -> None:
    with pytest.raises(TransientError):
        await fal(answer).status(REQUEST)


async def test_a_models_failure_is_told_from_a_failure_of_the_way_there() -> None:
    with pytest.raises(ModelFailedError):
        await fal(says(500, {"detail": [{"type": "internal_server_error"}]})).result(REQUEST)
    with pytest.raises(ModelFailedError):
        await fal(says(503, {"detail": "gone"}, **{"X-Fal-Error-Type": "runner_disconnected"})).result(REQUEST)
    with pytest.raises(TransientError):
        await fal(says(503, "busy")).result(REQUEST)
    with pytest.raises(TransientError):
        await fal(says(400, {"detail": "Request is still in progress"})).result(REQUEST)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/a.png", "https://fal.example.evil.example/a.png", "https://notfal.example/a.png",
     "https://v3.fal.example:8443/a.png", "https://v3.fal.example:22/a.png", "https://me:you@v3.fal.example/a.png",
     "http://v3.fal.example:443/a.png", "http://v3.fal.example/a.png",
     "file:///etc/passwd", "https://[bad/a.png", ""],
)  # fmt: skip
async def test_results_are_fetched_from_allowed_hosts_over_https_at_its_port_only(url: str) -> None:
    with pytest.raises(RequestFailedError):
        await fal(says(200, "picture")).fetch(url)


async def test_a_result_is_fetched_whole_unless_it_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fal_queue, "PICTURE_MAX_BYTES", 10)
    assert await fal(says(200, "x" * 10)).fetch("https://fal.example/a.png") == b"x" * 10
    with pytest.raises(RequestFailedError, match="larger"):
        await fal(says(200, "x" * 11)).fetch("https://fal.example/a.png")
    with pytest.raises(TransientError):
        await fal(breaks(httpx.ReadError)).fetch("https://fal.example/a.png")


async def test_a_cancel_that_fal_refuses_is_no_error_one_that_it_did_not_hear_is() -> None:
    await fal(says(400, {"status": "ALREADY_COMPLETED"})).cancel(REQUEST)
    with pytest.raises(TransientError):
        await fal(breaks(httpx.ReadTimeout)).cancel(REQUEST)
    with pytest.raises(TransientError):
        await fal(says(503)).cancel(REQUEST)


# -- answers without measure -----------------------------------------------------------------------------------------


def streams(body: AsyncIterator[bytes], **headers: str) -> Answer:
    return lambda _: httpx.Response(200, headers=headers, content=body)


async def endless(part: bytes = b" " * 65536, pause: float = 0.0) -> AsyncIterator[bytes]:
    while True:
        yield part
        await asyncio.sleep(pause)


def calls(queue: FalQueue) -> dict[str, Coroutine[Any, Any, Any]]:
    return {
        "submit": queue.submit("owner/app", {}),
        "status": queue.status(REQUEST),
        "result": queue.result(REQUEST),
        "cancel": queue.cancel(REQUEST),
        "fetch": queue.fetch("https://fal.example/a.png"),
    }


CALLS = ("submit", "status", "result", "cancel", "fetch")
NOT_READ = (SubmitOutcomeUnknownError, TransientError, RequestFailedError)


async def ended(call: str, answer: Answer) -> Exception:
    """Make one call of all; give the error it ends with."""
    for name, coroutine in calls(fal(answer)).items():
        if name == call:
            with pytest.raises(NOT_READ) as caught:
                await coroutine
        else:
            coroutine.close()
    return caught.value


@pytest.mark.parametrize("call", CALLS)
async def test_an_endless_answer_is_read_to_its_limit_only(call: str) -> None:
    error = await ended(call, streams(endless()))
    assert "larger than is accepted" in str(error)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "br", "deflate", "x", ""])
async def test_an_encoded_answer_is_not_read(call: str, encoding: str) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["Accept-Encoding"])
        return streams(endless(), **{"Content-Encoding": encoding})(request)

    assert "encoded" in str(await ended(call, answer))
    assert asked == ["identity"]


@pytest.mark.parametrize("call", CALLS)
async def test_an_answer_that_drips_is_not_waited_for(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fal_http, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(fal_http, "FILE_SECONDS", 0.2)
    assert "TimeoutError" in str(await ended(call, streams(endless(b" ", 0.05))))


@pytest.mark.parametrize("call", CALLS)
async def test_no_redirect_is_followed_and_no_cookie_kept(call: str) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"Location": "https://evil.example/", "Set-Cookie": "a=b; Path=/"})

    queue = fal(answer)
    for _ in range(2):
        for name, coroutine in calls(queue).items():
            if name == call:
                with suppress(*NOT_READ):
                    await coroutine
            else:
                coroutine.close()
    assert len(seen) == 2
    assert not [request for request in seen if request.url.host == "evil.example" or "Cookie" in request.headers]


# -- answers of odd shape --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=undefined", "text/html"])
async def test_a_body_of_no_known_shape_is_an_error_of_ours(body: bytes, content_type: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body, headers={"Content-Type": content_type})

    assert isinstance(await ended("submit", answer), SubmitOutcomeUnknownError)
    assert isinstance(await ended("status", answer), TransientError)
    assert isinstance(await ended("result", answer), DoubtfulError)


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
async def test_so_is_one_of_an_error(body: bytes, status: int) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"Content-Type": "application/json; charset=undefined"})

    for call in ("submit", "status", "result"):
        await ended(call, answer)


@pytest.mark.parametrize("field", list(ACCEPTED))
@pytest.mark.parametrize("value", [None, 5, True, [], {}, "", "x" * 10_000])
async def test_an_acceptance_with_a_wrong_field_leaves_the_outcome_unknown(field: str, value: Any) -> None:
    assert isinstance(await ended("submit", says(200, ACCEPTED | {field: value})), SubmitOutcomeUnknownError)


@pytest.mark.parametrize("request_id", ["../../users", "a b", "a\nb", "a/b", "a?b", "\u202e"])
async def test_an_id_that_would_lead_elsewhere_is_none(request_id: str) -> None:
    error = await ended("submit", says(200, ACCEPTED | {"request_id": request_id}))
    assert isinstance(error, SubmitOutcomeUnknownError)


@pytest.mark.parametrize("time", ["Infinity", "-Infinity", "NaN", "-1", "1e400", '"3"', "true", "[]", "{}", "3601"])
async def test_a_run_time_that_is_none_is_left_out(time: str) -> None:
    body = f'{{"status": "COMPLETED", "metrics": {{"inference_time": {time}}}}}'
    assert await fal(says(200, body)).status(REQUEST) == FalProgress(FalStatus.COMPLETED)


@pytest.mark.parametrize("metrics", ["5", '"x"', "[]", "null"])
async def test_so_are_metrics(metrics: str) -> None:
    body = f'{{"status": "COMPLETED", "metrics": {metrics}}}'
    assert await fal(says(200, body)).status(REQUEST) == FalProgress(FalStatus.COMPLETED)


@pytest.mark.parametrize("images", [5, "x", {}, True])
async def test_a_list_of_pictures_that_is_none_is_doubted(images: Any) -> None:
    assert isinstance(await ended("result", says(200, {"images": images})), DoubtfulError)


@pytest.mark.parametrize("in_header", [True, False])
async def test_an_error_is_named_in_few_words_on_one_line(in_header: bool) -> None:
    kind = "teapot\n2026-11-26 INFO all is well\x1b[2J\u2028" + "x" * 20_000
    headers = [(b"X-Fal-Error-Type", kind.encode())] if in_header else []
    detail: Any = "x" if in_header else [{"type": kind}]

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(418, headers=headers, json={"detail": detail})

    for call in ("submit", "status", "result"):
        said = str(await ended(call, answer))
        assert said.isprintable()
        assert len(said) < 250
