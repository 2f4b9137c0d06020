"""Root's redis-cli: the plan's commands need no password, and the password goes to this host's instances only."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.roles import render

Run = Callable[..., str]
SECRET = "the-operator-s-password"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs the wrapper round a client that tells the password it was handed, and its arguments."""
    client, password, wrapper = tmp_path / "client", tmp_path / "password", tmp_path / "redis-cli"
    client.write_text('#!/bin/sh\necho "${REDISCLI_AUTH-none}"\nprintf "<%s>" "$@"\n')
    password.write_text(f"{SECRET}\n")
    wrapper.write_text(
        render(
            "redis",
            "redis-cli.j2",
            _redis_cli_diverted=str(client),
            _redis_password_file=str(password),
            redis_bind=["127.0.0.1", "-::1", "192.0.2.7"],
        )
    )
    for program in (client, wrapper):
        program.chmod(0o755)

    def result(*arguments: str, **environment: str) -> str:
        path = {"PATH": os.environ["PATH"]}
        return subprocess.run(
            [wrapper, *arguments], env=path | environment, text=True, capture_output=True, check=True
        ).stdout

    return result


@pytest.mark.parametrize(
    "arguments",
    [
        ["LLEN", "rq:queue:img_queue"],
        ["KEYS", "rq:job:*"],
        ["INFO", "stats"],
        [],
        ["-p", "6380", "INFO"],
        ["-h", "127.0.0.1", "-p", "6379", "PING"],
        ["-h", "localhost", "PING"],
        ["-h", "::1", "PING"],
        ["-h", "192.0.2.7", "PING"],
        ["--scan", "--pattern", "rq:*"],
        ["-n", "0", "--raw", "-r", "2", "PING"],
        ["SET", "a b", "-h", "files.example"],
        ["ECHO", "it's $HOME; `id`"],
    ],
)
def test_root_is_logged_in_at_this_host_s_instances(run: Run, arguments: list[str]) -> None:
    passed_on = "".join(f"<{argument}>" for argument in arguments) or "<>"
    assert run(*arguments) == f"{SECRET}\n{passed_on}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-h", "redis.example", "PING"],
        ["-p", "6379", "-h", "192.0.2.8", "PING"],
        ["-h", "127.0.0.1", "-h", "redis.example", "PING"],
        ["--pattern", "a", "-h", "redis.example"],
        ["-u", "redis://redis.example", "PING"],
        ["--cluster", "check", "redis.example:6379"],
        ["-c", "PING"],
        ["--option-of-a-later-release", "-h", "redis.example", "PING"],
        ["-p", "7000", "PING"],
        ["-s", "./socket", "PING"],
        ["-h"],
        ["-p"],
    ],
)
def test_the_password_goes_nowhere_else(run: Run, arguments: list[str]) -> None:
    assert run(*arguments).splitlines()[0] == "none"


@pytest.mark.parametrize("login", [["-a", "another"], ["--pass", "another"], ["--user", "bot"], ["--askpass"]])
def test_a_login_of_one_s_own_is_left_alone(run: Run, login: list[str]) -> None:
    assert run(*login, "PING").splitlines()[0] == "none"


def test_a_password_of_one_s_own_is_left_alone(run: Run) -> None:
    assert run("PING", REDISCLI_AUTH="another").splitlines()[0] == "another"
    assert run("PING", REDISCLI_AUTH="") == "\n<PING>"


def test_who_cannot_read_the_password_gets_the_plain_client(run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").unlink()
    assert run("LLEN", "rq:queue:img_queue") == "none\n<LLEN><rq:queue:img_queue>"
