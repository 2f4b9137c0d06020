"""A world for the workers, the same for all tests, and empty before each."""

from collections.abc import Iterator

import pytest

from tests.integration.worker.world import FAL_KEY, World
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="session")
def fal() -> Iterator[Simulator]:
    with Simulator("fal", "--key", FAL_KEY, "--median", "1", "--p95", "2", "--picture-side", "256") as simulator:
        yield simulator


@pytest.fixture(scope="session")
def one_world(
    redis_process: RedisServer, fal: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    world = World(redis_process.url, fal.url, tmp_path_factory.mktemp("world"))
    yield world
    world.clear()


@pytest.fixture
def served(one_world: World) -> Iterator[World]:
    """A world in which a worker serves that repeats a call once; tests in a row share it."""
    one_world.serve(FAL_RETRIES="1")
    yield one_world
    print(one_world.dump())


@pytest.fixture
def world(one_world: World) -> Iterator[World]:
    one_world.clear()
    yield one_world
    print(one_world.dump())  # pytest shows it if the test failed
    one_world.clear()
