"""10 workers become 4, and then 12."""

from collections.abc import Callable
from typing import Any

from .test_hosts import properties

Host = Any


def units(vps: Host, *arguments: str) -> set[str]:
    listed = vps.check_output(f"systemctl list-units --plain --no-legend {' '.join(arguments)} 'imageworker@*'")
    return {line.split()[0] for line in listed.splitlines()}


def enabled(vps: Host) -> set[str]:
    return set(vps.check_output("ls /etc/systemd/system/imageworker.target.wants").split())


def named(count: int) -> set[str]:
    return {f"imageworker@{number}.service" for number in range(1, count + 1)}


def pids(vps: Host, count: int) -> dict[str, str]:
    return {unit: properties(vps, unit, "MainPID")["MainPID"] for unit in named(count)}


def test_fewer_workers_the_dead_ones_go_too_and_the_others_do_not_notice(vps: Host, site: Callable[..., str]) -> None:
    drop_in = "/run/systemd/system/imageworker@7.service.d"
    broken = "[Service]\\nEnvironment=IMAGEBOT_WORKER_NAME=dead\\nExecStart=\\nExecStart=/bin/false\\nRestart=no\\n"
    vps.check_output(f"mkdir -p {drop_in} && printf '{broken}' > {drop_in}/test.conf && systemctl daemon-reload")
    vps.run("systemctl restart imageworker@7")
    assert units(vps, "--state=failed") == {"imageworker@7.service"}
    vps.check_output(f"rm -r {drop_in} && systemctl daemon-reload")

    before = pids(vps, 4)
    site("-e", "workers=4")
    assert units(vps, "--all") == enabled(vps) == named(4)
    assert pids(vps, 4) == before


def test_more_workers_are_only_added(vps: Host, site: Callable[..., str]) -> None:
    before = pids(vps, 4)
    site("-e", "workers=12")
    assert units(vps, "--state=active") == enabled(vps) == named(12)
    assert pids(vps, 4) == before
