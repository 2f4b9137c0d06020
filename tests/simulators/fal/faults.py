"""What can go wrong on purpose: how a job ends, and what happens to a call."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True)
class Ending:
    """How a job ends when its inputs were good."""

    status: int = 200
    type: str = ""
    message: str = ""
    infrastructure: bool = False
    """The queue's own error (`{"detail", "error_type"}`), not the model's."""
    media: str = "good"
    """What is wrong with the result or its files; see `files.py` and `answers.py`."""
    completes: bool = True
    free: bool = False
    """The model never ran."""

    @property
    def billed(self) -> bool:
        """The model ran to its end; fal does not bill server errors."""
        return self.completes and not self.free and self.status < 500


def _media(media: str) -> Ending:
    return Ending(media=media)


ENDINGS: dict[str, Ending] = {
    "ok": Ending(),
    "policy": Ending(
        422,
        "content_policy_violation",
        "The content could not be processed because it contained material flagged by a content checker.",
    ),
    "no_media": Ending(422, "no_media_generated", "The model did not generate any media for this prompt."),
    "face": Ending(422, "face_detection_error", "Could not detect face in the image."),
    "too_small": Ending(422, "image_too_small", "Image dimensions are too small."),
    "download_error": Ending(422, "file_download_error", "Failed to download the file."),
    "error500": Ending(500, "internal_server_error", "Internal server error"),
    "timeout504": Ending(504, "generation_timeout", "Generation timeout"),
    "downstream": Ending(500, "downstream_service_error", "Downstream service error"),
    "unavailable": Ending(500, "downstream_service_unavailable", "Downstream service unavailable"),
    "request_timeout": Ending(504, "request_timeout", "Request timed out", infrastructure=True),
    "startup_timeout": Ending(504, "startup_timeout", "Runner startup timed out", infrastructure=True),
    "runner503": Ending(503, "runner_connection_refused", "Runner is not available", infrastructure=True),
    "runner502": Ending(502, "runner_incomplete_response", "Runner answered in part", infrastructure=True),
    "runner500": Ending(500, "runner_server_error", "Runner server error", infrastructure=True),
    "never": Ending(completes=False),
    "cancel_ignored": Ending(),
    "no_images": _media("no_images"),
    "bad_json": _media("bad_json"),
    "broken_image": _media("broken"),
    "truncated_image": _media("truncated"),
    "cut_image": _media("cut"),
    "empty_image": _media("empty"),
    "html_image": _media("html"),
    "wrong_type": _media("wrong_type"),
    "foreign_host": _media("foreign"),
    "missing_file": _media("missing"),
    "bomb": _media("bomb"),
}
CANCELLED = Ending(499, "client_cancelled", "Request was cancelled by the client", infrastructure=True)

CALLS = ("submit", "status", "result", "cancel", "token", "upload", "file", "listing")
CALL_KINDS = ("status", "drop_answer", "drop_request", "delay_answer")
_MARKER = re.compile(r"\[sim:(\w+)(?:=(\d+(?:\.\d+)?))?\]")


@dataclass
class Fault:
    """Something to do to the next `times` calls (or jobs), -1 = to all until the reset."""

    kind: str
    times: int = 1
    call: str = "submit"
    status: int = 500
    retry_after: float | None = None
    delay_s: float = 0.0
    prompt: str | None = None
    """Only jobs whose prompt contains this; for calls: of such a job."""
    body: JSON = field(default_factory=lambda: {"detail": "Simulated failure"})

    @property
    def on_call(self) -> bool:
        """Whether it is done to a call and not to a job."""
        return self.kind in CALL_KINDS

    def fits(self, prompt: str) -> bool:
        """Tell whether a job with this prompt is meant."""
        return self.prompt is None or self.prompt in prompt


class Faults:
    """The faults that are waiting for their call or job."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, values: JSON) -> None:
        """Take a fault; a ValueError says what is wrong with it."""
        try:
            fault = Fault(**values)
        except TypeError as error:
            raise ValueError(str(error)) from None
        if fault.kind not in CALL_KINDS and fault.kind not in ENDINGS:
            raise ValueError(f"no such kind: {fault.kind}; there are {', '.join([*CALL_KINDS, *ENDINGS])}")
        if fault.call not in CALLS:
            raise ValueError(f"no such call: {fault.call}; there are {', '.join(CALLS)}")
        self._waiting.append(fault)

    def for_call(self, call: str, prompt: str) -> Fault | None:
        """Take the first fault that is meant for this call."""
        return self._take(lambda fault: fault.on_call and fault.call == call and fault.fits(prompt))

    def for_job(self, prompt: str) -> str | None:
        """Take the first ending that is meant for this job."""
        fault = self._take(lambda fault: not fault.on_call and fault.fits(prompt))
        return fault.kind if fault else None

    def _take(self, fits: Any) -> Fault | None:
        for fault in self._waiting:
            if fits(fault):
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None


def read_prompt(prompt: str) -> tuple[str | None, float | None]:
    """Give ending and seconds that a prompt asks for: `[sim:policy]`, `[sim:latency=0.5]`."""
    kind, seconds = None, None
    for name, value in _MARKER.findall(prompt):
        if name == "latency" and value:
            seconds = float(value)
        elif name in ENDINGS:
            kind = name
    return kind, seconds


def by_share(errors: list[JSON], chance: random.Random) -> str | None:
    """Draw an ending by the shares of `settings.errors`."""
    drawn = chance.random() if errors else 1.0
    for error in errors:
        drawn -= error["share"]
        if drawn < 0:
            return str(error["kind"])
    return None
