"""Redis comes back with an older copy: bots and workers notice, and the service goes on."""

from pathlib import Path
from typing import Any

from .test_hosts import operator
from .test_pictures import picture, until

Host = Any

QUEUE = 6379


def epoch(vps: Host) -> str:
    return operator(vps, QUEUE, "HGET imagebot:epoch number")


def test_what_was_known_is_kept_where_only_its_owner_reads_it(vps: Host) -> None:
    assert until(lambda: vps.run("ls /var/lib/imageworker/*.json /var/lib/imagebot/*.json").rc == 0)
    owners = vps.check_output("stat --format=%U:%a /var/lib/imageworker /var/lib/imagebot").split()
    assert owners == ["imageworker:700", "imagebot:700"]


def test_a_copy_that_knows_less_is_noticed_and_the_service_goes_on(vps: Host, tmp_path: Path) -> None:
    before = epoch(vps)
    operator(vps, QUEUE, "HSET imagebot:epoch tick 1")  # as in a copy from the service's first seconds
    assert until(lambda: epoch(vps) != before)
    said = vps.check_output("journalctl --no-pager --output=cat --unit='imagebot@*' --lines=200")
    assert "Redis had lost records" in said
    picture(tmp_path / "picture")
