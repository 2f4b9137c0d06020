"""What the tests of handlers share."""

from collections.abc import Iterator

import pytest

from tests.unit.bot.photo_harness import Harness


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    yield harness
    assert all(spec.parameters == {} for spec, _ in harness.submitter.specs)
