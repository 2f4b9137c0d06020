"""Bad input gets one failure that names every problem and its cure, before anything changed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.inventory import HOST, VAULT
from tests.support.roles import CHECKOUT, read, trusted, value

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
FACTS: dict[str, Any] = HOST["ansible_facts"]


def problems(**variables: Any) -> list[str]:
    """Return what preflight says about a host that is fine but for `variables`."""
    defaults = {
        f"_preflight_{role}": trusted(read(role, "defaults/main.yml")) for role in ("worker", "redis", "media", "bot")
    }
    found = value("preflight", "_preflight_problems", **defaults, **variables)
    return [f"{problem['problem'].strip()} Cure: {problem['cure'].strip()}" for problem in found]


def one(**variables: Any) -> str:
    found = problems(**variables)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize("fine", [{}, {"workers": "10"}, {"users": "300"}, {"workers": 1}, {"workers": "12"}])
def test_a_host_as_planned_has_no_problem(fine: dict[str, Any]) -> None:
    assert problems(**fine) == []


@pytest.mark.parametrize("workers", ["0", "ten", "-3", "65", "1.5", "10 workers", 0])
def test_workers_must_be_a_number_that_makes_sense(workers: object) -> None:
    told = one(workers=workers)
    assert f"workers={workers} is not a number from 1 to 64" in told
    assert "-e workers=10" in told


@pytest.mark.parametrize("users", ["0", "many", "-1", "2.5"])
def test_users_must_be_a_positive_number(users: str) -> None:
    assert f"users={users} is not a positive number" in one(users=users)


def test_more_users_than_one_host_may_serve() -> None:
    assert "100 workers on one host are more than 64" in one(
        users="3000", ansible_facts=FACTS | {"memtotal_mb": 200_000}
    )


def test_more_workers_than_the_memory_holds() -> None:
    told = one(workers="20")
    assert "20 workers do not fit into 20086 MB" in told
    assert "-e workers=14" in told
    assert problems(workers="14") == []


def test_a_host_too_small_for_any_worker() -> None:
    assert "Not even one fits" in one(workers="1", ansible_facts=FACTS | {"memtotal_mb": 1000})


def test_redis_takes_no_memory_from_a_host_without_it() -> None:
    assert problems(workers="17", group_names=["workers"]) == []


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (
            {"distribution": "Ubuntu", "distribution_version": "24.04", "distribution_major_version": "24"},
            "Ubuntu 24.04",
        ),
        ({"distribution_version": "11.9", "distribution_major_version": "11"}, "Debian 11.9"),
    ],
)
def test_only_debian_12_and_13(facts: dict[str, Any], told: str) -> None:
    problem = one(ansible_facts=FACTS | facts)
    assert told in problem
    assert "Debian 12 or 13" in problem


def test_only_amd64() -> None:
    assert "The host is aarch64" in one(ansible_facts=FACTS | {"architecture": "aarch64"})


@pytest.mark.parametrize(
    "token", ["", "CHANGE-ME", "123456789", "123456789:short", "bot123456789:AA-token-without-any-end-at-all"]
)
def test_a_token_that_is_none(token: str) -> None:
    told = one(telegram_token=token)
    assert "telegram_token is" in told
    assert "@BotFather" in told


@pytest.mark.parametrize("key", ["", "CHANGE-ME", "short", "a key with blanks in it, and long"])
def test_a_key_that_is_none(key: str) -> None:
    assert "fal_key is" in one(fal_key=key)


def test_secrets_are_asked_for_only_where_they_are_needed() -> None:
    assert problems(group_names=["workers"], telegram_token="CHANGE-ME") == []
    assert problems(group_names=["bot"], fal_key="CHANGE-ME") == []
    assert problems(group_names=["media"], telegram_token="", fal_key="", redis_passwords={}) == []


def test_passwords_of_redis_are_named_by_their_users() -> None:
    told = one(redis_passwords=VAULT["redis_passwords"] | {"bot": "CHANGE-ME", "exporter": "short"})
    assert "for: exporter, bot." in told
    assert "openssl rand -hex 24" in told


@pytest.mark.parametrize("passwords", [{}, None])
def test_no_passwords_at_all(passwords: object) -> None:
    assert "for: operator, exporter, bot, worker." in one(redis_passwords=passwords)


@pytest.mark.parametrize("url", ["", "/srv/media", "s3://bucket", "file://srv/media", "file:///"])
def test_pictures_need_a_place(url: str) -> None:
    assert "is not a place to keep pictures" in one(media_url=url)


def test_nfs_needs_an_export() -> None:
    assert "media_nfs_source= names no export" in one(media_backend="nfs")
    assert problems(media_backend="nfs", media_nfs_source="files.example:/srv/imagebot/media") == []
    assert "media_backend=floppy is unknown" in one(media_backend="floppy")


@pytest.mark.parametrize("instances", ["0", "two", "9", "-1", ""])
def test_instances_of_the_bot_must_be_a_number_that_makes_sense(instances: str) -> None:
    assert "is not a number from 1 to 8" in one(bot_instances=instances)
    assert problems(bot_instances="2") == []


def test_updates_are_asked_for_or_pushed() -> None:
    assert "bot_mode=pigeon is unknown" in one(bot_mode="pigeon")


@pytest.mark.parametrize("host", ["", "localhost", "https://bot.example", "bot.example/telegram", "bot example"])
def test_a_webhook_needs_a_name_that_telegram_can_push_to(host: str) -> None:
    assert f"bot_webhook_host={host} is not a name" in one(bot_mode="webhook", bot_webhook_host=host)
    assert problems(bot_mode="polling", bot_webhook_host=host) == []
    assert problems(group_names=["workers"], bot_mode="webhook", bot_webhook_host=host) == []


@pytest.mark.parametrize("host", ["bot.example", "pictures.bot-1.example", "192.0.2.7"])
def test_a_webhook_with_a_name_or_an_address(host: str) -> None:
    assert problems(bot_mode="webhook", bot_webhook_host=host) == []


NAMED = {"bot_telegram_api_url": "http://bot-api.internal:8081"}
REDIS_NAMED = {
    f"{role}_{which}_redis_url": "redis://redis.internal"
    for role in ("bot", "worker")
    for which in ("queue", "cache")
}


def test_a_bot_api_of_one_s_own_needs_an_address_to_be_let_through() -> None:
    told = one(**NAMED)
    assert "of bot-api.internal the name alone is known" in told
    assert "Set bot_egress_allow" in told
    assert problems(**NAMED, bot_egress_allow=["10.0.0.5"]) == []
    assert problems(**NAMED, bot_egress_deny=["10.0.0.0/8"]) == [], "its name may be on the internet"
    assert problems(**NAMED, group_names=["workers"]) == []


@pytest.mark.parametrize("host", ["10.0.0.5", "[fd00::5]:8081", "localhost:8081", "127.0.0.1:8081"])
def test_an_address_in_a_url_is_let_through_by_itself(host: str) -> None:
    assert problems(bot_telegram_api_url=f"http://{host}") == []


def test_a_redis_known_by_name_needs_its_address_for_bot_and_workers() -> None:
    bot, workers = problems(**REDIS_NAMED)
    assert "of redis.internal the name alone is known" in bot
    assert "of Redis only the name redis.internal is known" in workers
    assert "Set worker_egress_allow" in workers
    assert problems(**REDIS_NAMED, bot_egress_allow=["10.0.0.6"], worker_egress_allow=["10.0.0.6"]) == []
    assert problems(**REDIS_NAMED, bot_egress_deny=[], worker_egress_deny=[]) == []


@pytest.mark.parametrize(
    "name",
    ["bot_egress_deny", "bot_egress_allow", "bot_telegram_networks", "worker_egress_deny", "worker_egress_allow"],
)
def test_what_is_no_address_is_not_passed_over(name: str) -> None:
    told = one(**{name: ["any", "10.0.0.5", "fd00::/8", "::1", "bot-api.internal", "10.0.0"]})
    assert told.startswith("bot-api.internal, 10.0.0: no address and no network")
    assert name in told


def test_all_problems_are_told_at_once_and_no_secret_with_them() -> None:
    told = "\n".join(
        problems(workers="ten", telegram_token="hunter2-token", fal_key="hunter2", redis_passwords={"bot": "hunter2"})
    )
    assert all(name in told for name in ("workers=ten", "telegram_token", "fal_key", "redis_passwords"))
    assert "hunter2" not in told


def playbook(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLAYBOOK, *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("inventory", ["example", "lab"])
def test_the_playbook_is_sound(inventory: str) -> None:
    run = playbook("--syntax-check", "-i", f"inventory/{inventory}", "site.yml")
    assert run.returncode == 0, run.stderr


def test_the_example_as_it_is_stops_before_anything_changes() -> None:
    # This machine stands in for the VPS: preflight reads facts and fails, so nothing here changes.
    run = playbook(
        *("-i", "inventory/example", "site.yml", "--check", "-e", "workers=0"),
        *(
            "-e",
            "ansible_connection=local",
            "-e",
            "ansible_become=false",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
        ),
    )
    assert run.returncode != 0
    assert "problem(s), nothing was changed" in run.stdout
    told = [name for name in ("workers=0", "telegram_token", "fal_key", "redis_passwords") if name in run.stdout]
    assert told == ["workers=0", "telegram_token", "fal_key", "redis_passwords"]
    assert "changed=0" in run.stdout
    assert "TASK [base" not in run.stdout


def test_no_inventory_is_not_a_success(tmp_path: Path) -> None:
    empty = tmp_path / "hosts.yml"
    empty.write_text("all: {}\n")
    run = playbook("-i", str(empty), "site.yml")
    assert run.returncode != 0
    assert "cp -r inventory/example inventory/production" in run.stdout + run.stderr
