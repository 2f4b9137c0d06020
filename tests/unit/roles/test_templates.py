"""What the roles write, rendered without a host."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.core import media_retention
from app.core.media_retention import NEEDED
from app.core.request_scripts import HISTORY_TTL
from tests.support.inventory import HOST, VAULT
from tests.support.roles import render, settings, value


@pytest.mark.parametrize(
    ("given", "workers"),
    [
        ({"users": "300"}, 10),
        ({"users": "200"}, 7),
        ({"users": "100"}, 5),
        ({"users": 301}, 11),
        ({"users": "1"}, 5),
        ({"workers": "10"}, 10),
        ({"workers": 4}, 4),
        ({"workers": "4", "users": "300"}, 4),
        ({}, 5),
    ],
)
def test_workers_follow_from_users_unless_they_are_given(given: dict[str, object], workers: int) -> None:
    assert value("worker", "worker_count", **given) == workers


def test_ten_workers_are_ten_units() -> None:
    units = value("worker", "_worker_units", workers="10")
    assert units == [f"imageworker@{number}.service" for number in range(1, 11)]


@pytest.mark.parametrize(("role", "unit"), [("worker", "imageworker@.service.j2"), ("bot", "imagebot@.service.j2")])
class TestServices:
    def test_systemd_watches_them(self, role: str, unit: str) -> None:
        unit_file = settings(render(role, unit))
        assert unit_file["Type"] == ["notify"]
        assert unit_file["NotifyAccess"] == ["main"]
        assert unit_file["WatchdogSec"] == ["30"]
        assert unit_file["Restart"] == ["always"]

    def test_a_bad_setting_starts_no_storm_of_restarts(self, role: str, unit: str) -> None:
        assert settings(render(role, unit))["RestartPreventExitStatus"] == ["78"]

    def test_secrets_come_as_credentials_only(self, role: str, unit: str) -> None:
        text = render(role, unit) + render(role, f"{role}.env.j2")
        assert "LoadCredential=imagebot_redis_password:/etc/imagebot/credentials/imagebot_redis_password_" in text
        passwords = VAULT["redis_passwords"].values()
        assert not [secret for secret in (VAULT["telegram_token"], VAULT["fal_key"], *passwords) if secret in text]

    def test_a_mount_is_checked_and_not_required(self, role: str, unit: str) -> None:
        mounted = settings(render(role, unit, media_mount="srv-imagebot-media.mount"))
        assert "srv-imagebot-media.mount" in mounted["Wants"]
        assert "findmnt --types nfs,nfs4 --mountpoint /srv/imagebot/media" in mounted["ExecStartPre"][0]
        assert "RequiresMountsFor" not in mounted

    @pytest.mark.parametrize(
        "change",
        [
            {"redis_passwords": {"bot": "another-password", "worker": "another-password"}},
            {"media_url": "file:///mnt/pictures"},
            {"ansible_facts": {"imagebot_release": "fedcba987654"}},
            {"worker_memory_max": "3G", "bot_memory_max": "3G"},
        ],
    )
    def test_whatever_is_read_at_start_owes_a_restart(self, role: str, unit: str, change: dict[str, object]) -> None:
        before, again = value(role, f"_{role}_revision"), value(role, f"_{role}_revision")
        assert before == again
        assert before in render(role, unit)
        assert before != value(role, f"_{role}_revision", **change)


def test_scaling_owes_no_restart() -> None:
    assert value("worker", "_worker_revision", workers="10") == value("worker", "_worker_revision", workers="12")
    assert value("bot", "_bot_revision", bot_instances="1") == value("bot", "_bot_revision", bot_instances="2")


WEBHOOK = {"bot_mode": "webhook", "bot_webhook_host": "bot.example", "bot_instances": "2"}


def test_instances_of_the_bot_are_units() -> None:
    assert value("bot", "_bot_units") == ["imagebot@1.service"]
    assert value("bot", "_bot_units", **WEBHOOK) == ["imagebot@1.service", "imagebot@2.service"]


def test_caddy_reaches_the_sockets_that_the_bots_listen_on() -> None:
    unit = settings(render("bot", "imagebot@.service.j2", **WEBHOOK))
    assert unit["RuntimeDirectory"] == ["imagebot/%i"]
    assert "IMAGEBOT_WEBHOOK_LISTEN=unix:/run/imagebot/%i/webhook.sock" in unit["Environment"]
    proxied = value("caddy", "_caddy_upstreams", **WEBHOOK)
    assert proxied == ["unix//run/imagebot/1/webhook.sock", "unix//run/imagebot/2/webhook.sock"]
    assert f"reverse_proxy {' '.join(proxied)} {{" in render("caddy", "Caddyfile.j2", **WEBHOOK)


def test_telegram_pushes_to_where_caddy_listens_and_shows_a_secret() -> None:
    environment = settings(render("bot", "bot.env.j2", **WEBHOOK))
    assert environment["IMAGEBOT_WEBHOOK_URL"] == ["https://bot.example/telegram"]
    caddyfile = render("caddy", "Caddyfile.j2", **WEBHOOK)
    assert "https://bot.example {" in caddyfile
    assert "path /telegram" in caddyfile
    assert "request>headers delete" in caddyfile, "Caddy would tell the secret in its log"
    secret = value("bot", "bot_webhook_secret")
    assert len(secret) == 64
    assert secret not in VAULT["telegram_token"] + caddyfile


def test_an_authority_of_our_own_is_made_known_to_telegram() -> None:
    for internal in (True, False):
        given = WEBHOOK | {"bot_webhook_internal_ca": internal}
        assert ("tls internal" in render("caddy", "Caddyfile.j2", **given)) is internal
        unit = render("bot", "imagebot@.service.j2", **given)
        assert ("LoadCredential=imagebot_webhook_certificate:" in unit) is internal


def test_polling_needs_nothing_in_front_of_it() -> None:
    assert "RuntimeDirectory" not in render("bot", "imagebot@.service.j2")
    assert not value("caddy", "caddy_enabled")
    assert "caddy" not in value("base", "_base_packages")
    assert "caddy" in value("base", "_base_packages", **WEBHOOK)
    assert "caddy" not in value("base", "_base_packages", **WEBHOOK, group_names=["workers"])


def test_a_worker_has_the_limits_of_the_plan() -> None:
    unit = settings(render("worker", "imageworker@.service.j2"))
    assert unit["MemoryMax"] == ["2G"]
    assert unit["MemorySwapMax"] == ["0"]
    assert unit["CPUQuota"] == ["200%"]


def test_what_a_dead_worker_held_goes_back_before_it_starts_again() -> None:
    unit = settings(render("worker", "imageworker@.service.j2"))
    assert unit["ExecStopPost"] == ["-/opt/imagebot/current/venv/bin/python -m app.worker.after_death"]
    assert (unit["RuntimeDirectory"], unit["RuntimeDirectoryMode"]) == (["imageworker-%i"], ["0700"])
    assert unit["RestartSec"] == ["0.5"]


def test_lists_reach_the_worker_as_json() -> None:
    environment = settings(render("worker", "worker.env.j2", worker_models={"create": "some/model"}))
    assert json.loads(environment["IMAGEBOT_FAL_MEDIA_HOSTS"][0].strip("'")) == ["fal.media", "*.fal.media"]
    assert json.loads(environment["IMAGEBOT_MODELS"][0].strip("'")) == {"create": "some/model"}


@pytest.mark.parametrize(
    ("memory_mb", "cache_mb", "queue_mb"),
    [(20_086, 2048, 1024), (8192, 2048, 1024), (4096, 1024, 512), (2000, 500, 250)],
)
def test_redis_takes_what_the_plan_says_and_less_on_a_small_host(
    memory_mb: int, cache_mb: int, queue_mb: int
) -> None:
    facts = {"memtotal_mb": memory_mb}
    assert value("redis", "redis_cache_maxmemory_mb", ansible_facts=facts) == cache_mb
    assert value("redis", "redis_queue_maxmemory_mb", ansible_facts=facts) == queue_mb


def redis_file(path: str) -> str:
    return str(next(file["content"] for file in value("redis", "_redis_files") if file["path"] == path))


def redis_conf(instance: str) -> dict[str, str]:
    lines = [line for line in redis_file(f"/etc/redis/redis-{instance}.conf").splitlines() if line and line[0] != "#"]
    return dict(line.split(" ", 1) for line in lines)


def test_the_queue_never_evicts_and_syncs_every_write() -> None:
    conf = redis_conf("queue")
    assert conf["maxmemory-policy"] == "noeviction"
    assert conf["appendonly"] == "yes"
    assert conf["appendfsync"] == "always"
    assert conf["save"] == "60 1000"


def test_the_cache_evicts_and_has_a_directory_of_its_own() -> None:
    conf = redis_conf("cache")
    assert conf["maxmemory"] == "2048mb"
    assert conf["maxmemory-policy"] == "allkeys-lru"
    assert conf["dir"] != redis_conf("queue")["dir"]
    assert conf["port"] != redis_conf("queue")["port"]


def test_one_instance_changes_without_the_other() -> None:
    before = value("redis", "_redis_revisions")
    after = value("redis", "_redis_revisions", redis_cache_maxmemory_mb=1000)
    assert after["queue"] == before["queue"]
    assert after["cache"] != before["cache"]


def test_a_mount_unit_is_named_after_its_path() -> None:
    assert value("media", "_media_mount_unit") == "srv-imagebot-media.mount"
    assert value("media", "_media_mount_unit", media_url="file:///mnt/my-pictures") == r"mnt-my\x2dpictures.mount"


def test_a_mount_waits_for_its_server_instead_of_losing_pictures() -> None:
    mount = settings(render("media", "media.mount.j2", media_nfs_source="files.example:/srv/imagebot/media"))
    assert mount["What"] == ["files.example:/srv/imagebot/media"]
    assert "hard" in mount["Options"][0].split(",")


NFS = {"media_backend": "nfs"}


@pytest.mark.parametrize(
    ("media", "hostvars", "host"),
    [
        (["vps1"], {}, "vps1"),
        (["nfs1"], {"vps1": NFS}, "nfs1"),
        (["vps1", "nfs1"], {"vps1": NFS}, "nfs1"),
        (["vps2"], {"vps1": NFS, "vps2": NFS}, "vps1"),  # the file server is not ours
    ],
)
def test_pictures_go_on_one_host_which_keeps_them_if_it_is_ours(
    media: list[str], hostvars: dict[str, dict[str, str]], host: str
) -> None:
    groups = {"media": media, "bot": ["vps1", "vps2"]}
    known = {name: hostvars.get(name, {}) for name in ("vps1", "vps2", "nfs1")}
    assert value("media", "media_retention_host", groups=groups, hostvars=known) == host


def test_what_lets_pictures_go_waits_for_no_server_for_ever_and_takes_no_mount_for_granted() -> None:
    unit = settings(render("media", "imagebot-media-retention.service.j2", media_backend="nfs"))
    assert unit["Type"] == ["oneshot"]
    assert unit["TimeoutStartSec"] == ["15min"]
    assert "findmnt --types nfs,nfs4 --mountpoint /srv/imagebot/media" in unit["ExecStartPre"][0]
    assert unit["Wants"] == ["srv-imagebot-media.mount"]
    assert "ExecStartPre" not in settings(render("media", "imagebot-media-retention.service.j2"))


def test_results_are_kept_for_as_long_as_history_shows_them() -> None:
    assert value("media", "media_results_days") * 24 * 3600 == HISTORY_TTL


def test_what_lets_pictures_go_takes_the_settings_of_the_role(tmp_path: Path) -> None:
    given = {"media_path": str(tmp_path), "media_inputs_days": 2, "media_results_days": 3, "media_disk_percent": 100}
    text = render("media", "imagebot-media-retention.sh.j2", **given)
    program = Path(media_retention.__file__)
    (tmp_path / NEEDED).touch()
    old = tmp_path / "inputs/aa/aa.jpg"
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (time.time() - 2.5 * 86400,) * 2)
    script = text.replace("/usr/bin/python3", sys.executable).replace(
        "/usr/local/lib/imagebot/media_retention.py", str(program)
    )
    said = subprocess.run(["/bin/sh", "-c", script, "sh", "--dry-run"], text=True, capture_output=True, check=True)
    assert "would let go inputs: 1 (0 bytes)" in said.stdout
    assert str(program) not in text


def test_packages_are_those_of_the_groups_a_host_is_in() -> None:
    everything = value("base", "_base_packages")
    assert {"redis-server", "python3-venv", "unattended-upgrades"} <= set(everything)
    assert len(everything) == len(set(everything))
    assert "redis-server" not in value("base", "_base_packages", group_names=["workers"])
    assert not {"nfs-common", "nfs-kernel-server"} & set(everything)
    assert "nfs-common" in value("base", "_base_packages", media_backend="nfs")
    assert "nfs-kernel-server" in value("base", "_base_packages", media_nfs_export=["192.0.2.0/24"])


def test_the_host_of_these_tests_is_in_every_group() -> None:
    assert HOST["group_names"] == ["bot", "media", "monitoring", "redis", "workers"]


@pytest.mark.parametrize(
    ("role", "variable"),
    [("worker", "_worker_credential_files"), ("bot", "_bot_credential_files"), ("redis", "_redis_secret_files")],
)
def test_secrets_are_for_root_and_redis_only(role: str, variable: str) -> None:
    for file in value(role, variable):
        assert file["mode"] == "0640" if file["path"].startswith("/etc/redis/") else file["mode"] == "0600"
