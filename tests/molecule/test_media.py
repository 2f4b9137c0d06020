"""Pictures go in time, on the host that keeps them."""

from typing import Any

import pytest

from .test_hosts import properties
from .test_pictures import until

Host = Any

UNIT, TIMER, MEDIA = "imagebot-media-retention.service", "imagebot-media-retention.timer", "/srv/imagebot/media"
OLD = f"{MEDIA}/results/2020/01/01/u1-0.png"


@pytest.fixture
def old(vps: Host, nfs: Host) -> str:
    """Return a result of long ago, made by a worker's account over NFS."""
    assert until(lambda: nfs.file(f"{MEDIA}/needed-pictures").exists)
    made = f"umask 007; mkdir -p $(dirname {OLD}) && echo picture > {OLD} && touch -d 2020-01-01 {OLD}"
    vps.check_output(f"runuser -u imageworker -- sh -c '{made}'")
    return OLD


def test_it_is_done_on_the_host_that_keeps_them_and_nowhere_else(vps: Host, nfs: Host) -> None:
    assert nfs.check_output(f"systemctl is-enabled {TIMER}") == "enabled"
    assert nfs.check_output(f"systemctl is-active {TIMER}") == "active"
    assert vps.run(f"systemctl is-active {TIMER}").rc != 0


def test_an_old_result_goes_and_what_is_young_stays(nfs: Host, old: str) -> None:
    young = nfs.check_output(f"find {MEDIA}/inputs {MEDIA}/results -type f -mtime -1 2>/dev/null || true")
    said = nfs.check_output("runuser -u imagebot-retention -- imagebot-media-retention --dry-run")
    assert "would let go" in said
    assert nfs.file(old).exists
    nfs.check_output(f"systemctl start {UNIT}")
    assert not nfs.file(old).exists
    assert not nfs.file(f"{MEDIA}/results/2020").exists
    assert nfs.check_output(f"find {MEDIA}/inputs {MEDIA}/results -type f -mtime -1 2>/dev/null || true") == young
    this_run = properties(nfs, UNIT, "InvocationID")["InvocationID"]
    lines = nfs.check_output(f"journalctl --output=cat --no-pager _SYSTEMD_INVOCATION_ID={this_run}").splitlines()
    assert len([line for line in lines if "results: 1 (8 bytes)" in line]) == 1


def test_a_clock_that_jumped_ahead_is_not_believed(nfs: Host, old: str) -> None:
    nfs.check_output(f"touch -d 2020-01-01 {MEDIA}/.retention")
    assert nfs.run(f"systemctl start {UNIT}").rc != 0
    assert nfs.file(old).exists
    nfs.check_output("runuser -u imagebot-retention -- imagebot-media-retention --accept-clock")
    assert not nfs.file(old).exists
    nfs.check_output(f"systemctl start {UNIT}")


def test_it_is_shut_in(nfs: Host) -> None:
    assert nfs.run(f"systemd-analyze security --offline=no --threshold=20 --no-pager {UNIT}").rc == 0
    assert nfs.run("runuser -u imagebot-retention -- cat /etc/imagebot/credentials/*").rc != 0
