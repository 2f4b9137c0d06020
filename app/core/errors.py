"""The project's errors, and the reasons for which a request can fail."""

from enum import StrEnum


class ImagebotError(Exception):
    """Base of every error that this project raises itself."""


class ConfigurationError(ImagebotError):
    """A setting is missing or wrong; the message names each one and its cure."""


class FailureReason(StrEnum):
    """Why a request failed. Each has one sentence in every language (``app/bot/locales``)."""

    POLICY = "policy"
    BAD_INPUT = "bad-input"
    NO_FACE = "no-face"
    PROVIDER_DOWN = "provider-down"
    OUT_OF_MONEY = "out-of-money"
    TIMED_OUT = "timed-out"
    OUTCOME_UNKNOWN = "outcome-unknown"
    INTERNAL = "internal"
    RECORDS_LOST = "records-lost"


class RequestFailedError(ImagebotError):
    """The request can't succeed, for a reason that a person can be told.

    ``detail`` is for operators' logs only and must not hold the prompt.
    """

    def __init__(self, reason: FailureReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
