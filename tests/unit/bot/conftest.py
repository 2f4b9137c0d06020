"""What the tests of handlers share."""

from collections.abc import Iterator

import pytest

from tests.unit.bot.photo_stage import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    assert all(spec.parameters == {} for spec, _ in stage.submitter.specs)
