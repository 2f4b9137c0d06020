"""A harness for the workers, the same for all tests, and empty before each."""

from collections.abc import Iterator

import pytest

from tests.integration.worker.harness import FAL_KEY, Harness
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def fal() -> Iterator[Simulator]:
    with Simulator("fal", "--key", FAL_KEY, "--median", "1", "--p95", "2", "--picture-side", "256") as simulator:
        yield simulator


@pytest.fixture(scope="session")
def shared_harness(
    redis_process: RedisServer, fal: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Harness]:
    harness = Harness(redis_process.url, fal.url, tmp_path_factory.mktemp("harness"))
    yield harness
    harness.clear()


@pytest.fixture
def served(shared_harness: Harness) -> Iterator[Harness]:
    """A harness in which a worker serves that repeats a call once; tests in a row share it."""
    shared_harness.serve(FAL_RETRIES="1")
    yield shared_harness
    print(shared_harness.dump())


@pytest.fixture
def harness(shared_harness: Harness) -> Iterator[Harness]:
    shared_harness.clear()
    yield shared_harness
    print(shared_harness.dump())  # pytest shows it if the test failed
    shared_harness.clear()
