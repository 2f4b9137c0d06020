"""What is waited for, and what is told as a bug."""

import logging

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from app.core.backoff import Backoff


@pytest.mark.parametrize(
    ("error", "level"),
    [(RedisConnectionError("gone"), logging.WARNING), (ResponseError("WRONGTYPE Operation against"), logging.ERROR)],
)
async def test_what_does_not_pass_is_told_as_an_error_with_its_place(
    caplog: pytest.LogCaptureFixture, error: Exception, level: int
) -> None:
    await Backoff("Redis", first=0.001).wait(error)
    [record] = caplog.records
    assert record.levelno == level
    assert bool(record.exc_info) is (level == logging.ERROR)
