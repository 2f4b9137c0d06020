"""What fal's answers mean: what is final, what passes, and what nobody can know. One function for each call.

Nothing here quotes a body of the model's: it echoes the prompt.
"""

from http import HTTPStatus
from typing import Final

import httpx

from app.core.errors import FailureReason, ImagebotError, RequestFailedError
from app.core.pause import plain_words
from app.worker.fal_shapes import objects
from app.worker.retry_policy import DoubtfulError, TransientError

_BAD_INPUT_CODES: Final = frozenset({400, 413, 415, 422})
_ACCOUNT_CODES: Final = frozenset({401, 402, 403})
_GONE_CODES: Final = frozenset({404, 410})
_POLICY_TYPES: Final = frozenset({"content_policy_violation", "no_media_generated"})


_NO_FACE_TYPES: Final = frozenset({"face_detection_error"})


class AccountError(TransientError):
    """fal serves this account nothing for now: a wrong key, no money, any lock. ``said``: fal's own words."""

    def __init__(self, detail: str, said: str) -> None:
        super().__init__(f"{detail}: {said}")
        self.said = said


class ModelFailedError(ImagebotError):
    """The model, or what runs it, failed in a way that may pass: fal repeats this answer, so submit anew."""


class SubmitOutcomeUnknownError(ImagebotError):
    """A submit was sent, and no answer came that says whether fal took it: it may run, and be billed."""


def check_submit(response: httpx.Response) -> None:
    """Raise what an answer to a submit means.

    Raises:
        AccountError: the account is refused.
        TransientError: fal surely did not take it, and may later.
        RequestFailedError: fal refused it.
        SubmitOutcomeUnknownError: anything else: whoever answered, fal may have taken it.
    """
    if response.is_success:
        return
    detail = _detail(response, "submit")
    _check_refused(response, detail)
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        raise TransientError(detail, _retry_after(response))
    if response.status_code in _BAD_INPUT_CODES:
        raise RequestFailedError(FailureReason.BAD_INPUT, detail)
    if response.is_client_error and response.status_code != HTTPStatus.REQUEST_TIMEOUT:
        raise RequestFailedError(FailureReason.INTERNAL, detail)
    raise SubmitOutcomeUnknownError(detail)


def check_status(response: httpx.Response) -> None:
    """Raise what an answer to a poll means: fal has the request, so none is final.

    Raises:
        DoubtfulError: fal does not know the request, it says.
        TransientError: ask again later.
    """
    if response.is_success:
        return
    detail = _detail(response, "status")
    _check_account(response, detail)
    if response.status_code in _GONE_CODES:
        raise DoubtfulError(detail)
    raise TransientError(detail, _retry_after(response))


def check_result(response: httpx.Response) -> None:
    """Raise what an answer to the call for a result means. fal replays what the model said, its codes included.

    Raises:
        ModelFailedError: the model failed in a way that may pass.
        RequestFailedError: the model refused the input, or the request was cancelled.
        DoubtfulError: there is no such result, it says.
        TransientError: not to be had now.
    """
    if response.is_success:
        return
    detail, kind = _detail(response, "result"), error_type(response)
    if kind and response.is_server_error:
        raise ModelFailedError(detail)
    _check_refused(response, detail)
    if response.status_code in _GONE_CODES:
        raise DoubtfulError(detail)
    in_progress = response.status_code == HTTPStatus.BAD_REQUEST and b"still in progress" in response.content
    if response.status_code in _BAD_INPUT_CODES and objects(response.content) and not in_progress:
        raise RequestFailedError(FailureReason.BAD_INPUT, detail)
    if kind and response.is_client_error:
        raise RequestFailedError(FailureReason.INTERNAL, detail)
    raise TransientError(detail, _retry_after(response))


def check_file(response: httpx.Response) -> None:
    """Raise what an answer to the call for a picture means.

    Raises:
        DoubtfulError: the picture is not there, or not for us, it says.
        TransientError: not to be had now.
    """
    code = response.status_code
    if response.is_success:
        return
    if response.is_client_error and code not in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        raise DoubtfulError(f"fetch: HTTP {code}")
    raise TransientError(f"fetch: HTTP {code}", _retry_after(response))


def error_type(response: httpx.Response) -> str:
    """Return fal's name for an error: its header, or the first ``type`` in the body's details; '' if it has none.

    It is on one line and short, whatever fal said.
    """
    if "X-Fal-Error-Type" in response.headers:
        return plain_words(response.headers["X-Fal-Error-Type"])
    body = objects(response.content)
    detail = body.get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    named = first.get("type") if isinstance(first, dict) else body.get("error_type")
    return plain_words(named) if isinstance(named, str) else ""


def _check_refused(response: httpx.Response, detail: str) -> None:
    if error_type(response) in _POLICY_TYPES:
        raise RequestFailedError(FailureReason.POLICY, detail)
    if error_type(response) in _NO_FACE_TYPES:
        raise RequestFailedError(FailureReason.NO_FACE, detail)
    _check_account(response, detail)


def _check_account(response: httpx.Response, detail: str) -> None:
    if response.status_code in _ACCOUNT_CODES:
        said = objects(response.content).get("detail")
        raise AccountError(detail, plain_words(said if isinstance(said, str) else detail))


def _detail(response: httpx.Response, call: str) -> str:
    return f"{call}: HTTP {response.status_code} {error_type(response)}".rstrip()


def _retry_after(response: httpx.Response) -> float | None:
    after = response.headers.get("Retry-After", "")
    return float(after) if after.isascii() and after.isdecimal() else None
