"""One Redis pair and one simulator for all tests; a bot for each module's ledger, or for one test's faults."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hostile import egress
from tests.integration.bot.harness import TOKEN, BotProcess, Person, Worker
from tests.simulators.client import Simulator
from tests.support.redis_server import RedisServer

ADMIN = 5
"""Runs the bot."""


@dataclass
class Scene:
    """Everything round the bot."""

    telegram: Simulator
    queue: RedisServer
    cache: RedisServer
    worker: Worker
    bot: BotProcess
    directory: Path
    others: list[BotProcess] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(7))

    def another_bot(self, number: int, **settings: str) -> BotProcess:
        """Start instance ``number``, set up as the first one is but for these settings."""
        directory = self.directory / str(number)
        directory.mkdir()
        bot = BotProcess(directory, **(self.bot.settings | {"bot_name": f"imagebot@{number}"} | settings))
        self.others.append(bot)
        return bot

    def person(self, language: str = "en") -> Person:
        """Someone who has not met the bot yet."""
        return Person(self.telegram, next(self._ids), language)

    def admin(self) -> Person:
        """The one who runs the bot."""
        return Person(self.telegram, ADMIN)


@pytest.fixture(scope="session")
def queue_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("queue"))
    yield server
    server.assert_nothing_was_denied()
    server.stop()


@pytest.fixture(scope="session")
def cache_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("cache"), "cache")
    yield server
    server.assert_nothing_was_denied()
    server.stop()


@pytest.fixture(scope="session")
def simulator() -> Iterator[Simulator]:
    with Simulator("telegram", "--token", TOKEN) as telegram:
        yield telegram


@contextmanager
def make_scene(
    directory: Path, telegram: Simulator, queue: RedisServer, cache: RedisServer, **settings: str
) -> Iterator[Scene]:
    """A bot that is just starting, with these settings besides, and nobody has met."""
    telegram.post("/control/reset")
    queue.client.flushall()
    cache.client.flushall()
    bot = BotProcess(
        directory,
        telegram_api_url=telegram.url,
        queue_redis_url=queue.address,
        cache_redis_url=cache.address,
        media_url=f"file://{directory}",
        admins=f"[{ADMIN}]",
        **settings,
    )
    scene = Scene(telegram, queue, cache, Worker(queue, f"file://{directory}"), bot, directory)
    yield scene
    owners = {urlsplit(telegram.url).port or 0: "token", queue.port: "redis-bot", cache.port: "redis-bot"}
    for each in (bot, *scene.others):
        each.kill()
        assert egress.strays(each.egress, owners) == []
        assert [name for name, secret in egress.SECRETS.items() if secret.decode() in each.log()] == []


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory,
    simulator: Simulator,
    queue_server: RedisServer,
    cache_server: RedisServer,
) -> Iterator[Scene]:
    """A bot for all tests of a module; each has people of its own."""
    with make_scene(tmp_path_factory.mktemp("scene"), simulator, queue_server, cache_server) as scene:
        scene.telegram.post("/control/settings", rate_limits=False)
        yield scene


@pytest.fixture
def own_scene(
    tmp_path: Path, simulator: Simulator, queue_server: RedisServer, cache_server: RedisServer
) -> Iterator[Scene]:
    """A bot, just starting, that a test may kill."""
    with make_scene(tmp_path, simulator, queue_server, cache_server) as scene:
        yield scene
