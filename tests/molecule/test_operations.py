"""The service goes on: 10 workers become 4, the media go away and come back, 4 workers become 12; one bot that polls
becomes two of which one polls, and then two with a webhook.

The tests go on from one another: a run of site.yml takes long, so each changes workers and bots, and a bot takes long
to start, so one that the next run starts anew anyway is not started before.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .test_hosts import operator, properties
from .test_pictures import picture, until

Host = Any

BOTS = ["imagebot@1", "imagebot@2"]


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
    site("-e", "workers=4", "-e", "bot_instances=2")
    assert units(vps, "--all") == enabled(vps) == named(4)
    assert pids(vps, 4) == before


def test_one_bot_polls_and_the_other_takes_its_place(vps: Host, tmp_path: Path) -> None:
    assert vps.run("systemctl is-active imagebot-caddy").rc != 0
    poller = operator(vps, 6379, "GET imagebot:poller").split(".")[0]
    [other] = {*BOTS} - {poller}
    assert properties(vps, other, "StatusText")["StatusText"].startswith(f"RequestStatus by for {poller}")
    vps.check_output(f"systemctl stop {poller}")  # a killed one would be back before its place is taken
    assert until(lambda: operator(vps, 6379, "GET imagebot:poller").split(".")[0] == other)
    picture(tmp_path / "picture")


def test_workers_that_find_no_media_come_back_with_them(vps: Host, nfs: Host, tmp_path: Path) -> None:
    vps.check_output("systemctl stop imageworker.target imagebot.target srv-imagebot-media.mount")
    nfs.check_output("exportfs -ua")
    try:
        vps.check_output("systemctl start --no-block imageworker.target imagebot@1")
        assert until(lambda: int(properties(vps, "imageworker@1", "NRestarts")["NRestarts"]) > 0)
        assert properties(vps, "imageworker@1", "ActiveState")["ActiveState"] != "active"
    finally:
        nfs.check_output("exportfs -ra")
    services = [*sorted(named(4)), "imagebot@1"]
    assert until(lambda: vps.run(f"systemctl is-active {' '.join(services)}").rc == 0)
    picture(tmp_path / "picture")


def test_more_workers_are_only_added(vps: Host, site: Callable[..., str]) -> None:
    before = pids(vps, 4)
    site("-e", "workers=12", "-e", "bot_mode=webhook", "-e", "bot_instances=2")
    assert units(vps, "--state=active") == enabled(vps) == named(12)
    assert pids(vps, 4) == before


def test_telegram_pushes_through_caddy_to_both_bots(vps: Host, tmp_path: Path) -> None:
    assert vps.run(f"systemctl is-active imagebot-caddy {' '.join(BOTS)}").rc == 0
    assert vps.run("systemd-analyze security --offline=no --threshold=20 --no-pager imagebot-caddy").rc == 0
    assert vps.run("systemctl is-enabled caddy").stdout.strip() == "disabled"
    picture(tmp_path / "picture")


def test_a_bot_that_is_killed_holds_nobody_up(vps: Host, tmp_path: Path) -> None:
    vps.check_output("systemctl kill --signal=KILL imagebot@1")
    picture(tmp_path / "picture")
    assert until(lambda: vps.run("systemctl is-active imagebot@1").rc == 0)


def test_the_webhook_s_secret_is_in_no_log(vps: Host) -> None:
    secret = vps.check_output("cat /etc/imagebot/credentials/imagebot_webhook_secret")
    assert secret not in vps.check_output("journalctl --no-pager --quiet --output=cat")
