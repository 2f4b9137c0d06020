"""What the stack runs is what a host runs: the configuration of the roles, but for what `shipped.py` lists."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from tests.stack.stack import Stack
from tests.support import shipped
from tests.support.redis_server import PROGRAMS, link_redis_server
from tests.support.waiting import wait_until

INSTANCES: tuple[shipped.Instance, ...] = ("queue", "cache")
BY_SYSTEMD = {"IMAGEBOT_WORKER_NAME", "IMAGEBOT_BOT_NAME"}
"""Settings that stand in the units, with the host in them; here supervisord, or the default, names the programs."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack as `make up` starts it."""
    stack = Stack(tmp_path_factory.mktemp("whole"), workers=1)
    with stack.running():
        yield stack
        assert stack.denials() == []


def client(stack: Stack, instance: shipped.Instance) -> Redis:
    return Redis.from_url(stack.queue_url if instance == "queue" else stack.cache_url, decode_responses=True)


def configuration(redis: Redis) -> dict[str, str]:
    """Every directive that Redis runs with."""
    return cast(dict[str, str], redis.config_get("*"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What Redis runs with if nobody configures it."""
    directory: Path = tmp_path_factory.mktemp("plain")
    path = directory / "socket"
    command = [str(link_redis_server(directory)), "--port", "0", "--unixsocket", str(path), "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    with Redis(unix_socket_path=str(path), decode_responses=True) as redis:
        wait_until(path.exists, "Redis answers")
        yield configuration(redis)
    process.terminate()
    process.wait(20)


def variables(pid: int) -> dict[str, str]:
    """The environment that a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def in_the_words_of_redis(arguments: str) -> str:
    """What Redis says of a directive once it has understood it."""
    if arguments.endswith("mb"):
        return str(int(arguments.removesuffix("mb")) * 1024 * 1024)
    return arguments.strip('"')


@pytest.mark.parametrize("instance", INSTANCES)
def test_redis_runs_with_the_directives_of_the_role(whole: Stack, instance: shipped.Instance) -> None:
    with client(whole, instance) as redis:
        running = configuration(redis)
        expected = {
            name: in_the_words_of_redis(arguments)
            for name, arguments in shipped.directives(instance)
            if name not in shipped.LOCAL_DIRECTIVES
        }
    assert expected
    assert {name: running[name] for name in expected} == expected


@pytest.mark.parametrize("instance", INSTANCES)
def test_redis_runs_with_no_other_directives(whole: Stack, plain: dict[str, str], instance: shipped.Instance) -> None:
    with client(whole, instance) as redis:
        running = configuration(redis)
    set_by_us = {name for name, value in running.items() if value != plain[name]}
    known = {name for name, _ in shipped.directives(instance)} | shipped.LOCAL_DIRECTIVES.keys()
    only_in_the_plain_one = {"unixsocket"}
    assert set_by_us - only_in_the_plain_one <= known


@pytest.mark.parametrize("instance", INSTANCES)
def test_redis_knows_the_users_of_the_role(whole: Stack, instance: shipped.Instance) -> None:
    with client(whole, instance) as redis:
        file = Path(configuration(redis)["aclfile"])
        redis.acl_load()  # what runs is what stands there
    assert file.read_text() == shipped.users(instance)


@pytest.mark.parametrize("user", PROGRAMS)
def test_a_program_is_logged_in_as_its_own_user(whole: Stack, user: str) -> None:
    with client(whole, "queue") as redis:
        wait_until(lambda: user in {entry["user"] for entry in redis.client_list()}, f"{user} is logged in")


@pytest.mark.parametrize(("program", "process"), [("bot", "imagebot"), ("worker", "imageworker@1")])
def test_a_program_has_the_settings_of_its_role_and_no_others(
    whole: Stack, program: shipped.Program, process: str
) -> None:
    environment = variables(whole.pid(process))
    ours = {name: value for name, value in environment.items() if name.startswith(shipped.PREFIX)}
    role = shipped.role_settings(program)
    local = {shipped.PREFIX + name for name in shipped.LOCAL_SETTINGS}
    assert {name for name in ours if ours[name] != role.get(name)} <= local | BY_SYSTEMD
    assert ours.keys() - BY_SYSTEMD == role.keys()


@pytest.mark.parametrize(("program", "process"), [("bot", "imagebot"), ("worker", "imageworker@1")])
def test_a_program_has_its_secrets_as_a_unit_gets_them(whole: Stack, program: shipped.Program, process: str) -> None:
    directory = Path(variables(whole.pid(process))["CREDENTIALS_DIRECTORY"])
    held = {file.name: file.read_text() for file in directory.iterdir()}
    assert held == shipped.role_credentials(program)
    assert {file.stat().st_mode & 0o777 for file in directory.iterdir()} == {0o600}


def test_no_secret_of_redis_stands_in_an_argument_list_an_environment_or_a_configuration(whole: Stack) -> None:
    passwords = [shipped.password(user) for user in (*PROGRAMS, "operator")]
    pids = [whole.pid(name) for name in ("redis-queue", "redis-cache", "imagebot", "imageworker@1")]
    texts = [Path(f"/proc/{pid}/{file}").read_text() for pid in pids for file in ("cmdline", "environ")]
    texts += [file.read_text() for file in whole.directory.glob("*.conf")]
    texts += [file.read_text() for file in whole.directory.glob("*/*.conf")]
    assert not [text for text in texts for password in passwords if password in text]


@pytest.mark.parametrize("instance", INSTANCES)
def test_the_command_line_that_is_shown_works_as_it_is(whole: Stack, instance: shipped.Instance) -> None:
    shown = whole.redis_cli(instance)
    assert shipped.password("operator") not in shown
    told = subprocess.run(["bash", "-c", f"{shown} ACL WHOAMI"], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "operator"
