"""fal's answers as our types. What has another shape is a ``ValueError``, however deep, long or odd it is."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, OnErrorOmit, ValidationError, WrapValidator
from pydantic_core import from_json

INFERENCE_MAX: Final = 3600.0
"""Seconds that a model can be said to have run."""


class FalStatus(StrEnum):
    """What fal says of a request."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


def _or_none(value: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


RequestId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
Url = Annotated[str, Field(min_length=1, max_length=4096)]


class Accepted(_Shape):
    """The answer to a submit."""

    request_id: RequestId
    status_url: Url
    response_url: Url
    cancel_url: Url


class Metrics(_Shape):
    """What fal measured; ``inference_time`` in seconds."""

    inference_time: Annotated[float, Field(ge=0, le=INFERENCE_MAX, allow_inf_nan=False)] | None = None


class Status(_Shape):
    """The answer to a poll; odd metrics are none."""

    status: FalStatus
    metrics: Annotated[Metrics | None, WrapValidator(_or_none)] = None


class File(_Shape):
    """A picture."""

    url: Url


class Result(_Shape):
    """A model's answer: its pictures; what else is in their list is left out."""

    images: list[OnErrorOmit[File]] | None = None
    image: Annotated[File | None, WrapValidator(_or_none)] = None


class Listed(_Shape):
    """One of an account's requests. Its times come as text."""

    request_id: RequestId
    sent_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    started_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    json_input: Any = None

    @property
    def received_at(self) -> datetime:
        """When fal had it, as far as it says.

        Raises:
            ValueError: it does not say.
        """
        at = self.sent_at or self.started_at
        if at is None:
            raise ValueError("a request without a time")
        return at


class Page(_Shape):
    """A page of the list: every item has to be read, since one that is left out is taken for not there."""

    items: Annotated[list[Listed], Field(max_length=1000, fail_fast=True)]
    next_cursor: Annotated[str, Field(max_length=4096)] | None = None


def objects(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds, or an empty one if it holds none."""
    try:
        data = from_json(body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
