"""Which addresses the filters of our units let through, judged as systemd judges: who is allowed is never denied.

That a kernel enforces them is shown on a VPS (`tests/molecule/test_confinement.py`).
"""

import ipaddress
from typing import Any

import pytest

from tests.support.inventory import HOST
from tests.support.roles import render, settings, value

UNITS = {"bot": "imagebot@.service.j2", "worker": "imageworker@.service.j2"}
NAMES = {"any": ["0.0.0.0/0", "::/0"], "localhost": ["127.0.0.0/8", "::1/128"]}
RESOLVER = HOST["ansible_facts"]["dns"]["nameservers"][0]


def holds(rules: list[str], address: str) -> bool:
    networks = [network for rule in " ".join(rules).split() for network in NAMES.get(rule, [rule])]
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)


def reaches(unit: str, address: str) -> bool:
    found = settings(unit)
    return holds(found.get("IPAddressAllow", []), address) or not holds(found.get("IPAddressDeny", []), address)


def program(role: str, address: str, **variables: Any) -> bool:
    return reaches(render(role, UNITS[role], **variables), address)


METADATA = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"]
NEIGHBOURS = ["10.0.0.3", "172.17.0.1", "192.168.1.1", "100.64.0.1", "fd00::5", "fe80::2"]
OTHERS = ["127.0.0.2", "127.0.0.53", "0.0.0.0", "224.0.0.251", "255.255.255.255", "ff02::1", "::"]


@pytest.mark.parametrize("role", UNITS)
@pytest.mark.parametrize("address", [*METADATA, *NEIGHBOURS, *OTHERS])
def test_metadata_of_clouds_and_neighbours_are_out_of_reach(role: str, address: str) -> None:
    assert not program(role, address)


@pytest.mark.parametrize("role", UNITS)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", RESOLVER, "fe80::1"])
def test_redis_and_the_resolvers_are_reached(role: str, address: str) -> None:
    assert program(role, address)


@pytest.mark.parametrize("role", UNITS)
def test_a_host_that_resolves_names_itself(role: str) -> None:
    facts = HOST["ansible_facts"] | {"dns": {"nameservers": ["127.0.0.53"]}}
    assert program(role, "127.0.0.53", ansible_facts=facts)
    assert not program(role, RESOLVER, ansible_facts=facts)


def test_the_bot_reaches_telegram_and_nobody_else() -> None:
    assert program("bot", "149.154.167.220")
    assert program("bot", "2001:67c:4e8:f004::9")
    assert not program("bot", "8.8.8.8")
    assert not program("bot", "2606:4700::1111")


@pytest.mark.parametrize(("url", "address"), [("http://10.0.0.5:8081", "10.0.0.5"), ("http://[fd00::7]", "fd00::7")])
def test_a_bot_api_of_one_s_own_takes_telegram_s_place(url: str, address: str) -> None:
    assert program("bot", address, bot_telegram_api_url=url)
    assert not program("bot", "149.154.167.220", bot_telegram_api_url=url)


def test_workers_reach_the_internet() -> None:
    assert program("worker", "8.8.8.8")
    assert program("worker", "2606:4700::1111")


@pytest.mark.parametrize("role", UNITS)
@pytest.mark.parametrize("which", ["queue", "cache"])
def test_a_redis_elsewhere_is_reached(role: str, which: str) -> None:
    assert program(role, "10.0.0.9", **{f"{role}_{which}_redis_url": "redis://10.0.0.9:6379/0"})


@pytest.mark.parametrize("name", ["queue_url", "api_url", "storage_url", "cdn_url"])
def test_a_simulated_fal_is_reached(name: str) -> None:
    assert program("worker", "10.0.2.1", **{f"worker_fal_{name}": "http://10.0.2.1:8082"})


def test_a_private_address_that_pictures_may_be_fetched_from_is_reached() -> None:
    assert program("worker", "10.0.2.1", worker_fal_media_hosts=["*.fal.media", "10.0.2.1"])


@pytest.mark.parametrize("role", UNITS)
def test_an_operator_adds_what_is_missing_or_takes_the_filter_away(role: str) -> None:
    assert program(role, "192.168.7.1", **{f"{role}_egress_allow": ["192.168.7.0/24"]})
    assert program(role, "10.0.0.3", **{f"{role}_egress_deny": []})


@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_redis_that_listens_on_loopback_reaches_nothing_else(instance: str) -> None:
    def redis(**variables: Any) -> str:
        return render("redis", "unit.conf.j2", item={"name": instance}, **variables)

    assert reaches(redis(), "127.0.0.1")
    assert reaches(redis(), "::1")
    assert not reaches(redis(), "10.0.0.3")
    assert not reaches(redis(), "8.8.8.8")
    assert reaches(redis(redis_bind=["127.0.0.1", "10.0.0.9"]), "10.0.0.3"), "it answers other hosts"


def test_a_redis_whose_filter_changes_restarts() -> None:
    before, after = (value("redis", "_redis_revisions", _redis_loopback_only=only) for only in (True, False))
    assert before["queue"] != after["queue"]
    assert before["cache"] != after["cache"]
