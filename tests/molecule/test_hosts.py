"""What site.yml leaves on the hosts."""

import json
import re
from typing import Any

import pytest

Host = Any

WORKERS = [f"imageworker@{number}" for number in range(1, 11)]
SERVICES = [*WORKERS, "imagebot@1", "redis-server@queue", "redis-server@cache", "prometheus-node-exporter"]


def properties(host: Host, unit: str, *names: str) -> dict[str, str]:
    shown = host.check_output(f"systemctl show {unit} --property={','.join(names)}")
    return dict(line.split("=", 1) for line in shown.splitlines())


def versions(packages: list[dict[str, str]]) -> set[str]:
    """Return names and versions, but only the names of what comes with Python itself."""
    names = {re.sub(r"[-_.]+", "-", each["name"]).lower(): each["version"] for each in packages}
    return {name if name in ("pip", "setuptools") else f"{name} {version}" for name, version in names.items()}


def operator(host: Host, port: int, command: str) -> str:
    return str(host.check_output(f"redis-cli -p {port} {command}"))


def test_every_service_runs_and_starts_at_boot(vps: Host) -> None:
    units = " ".join([*SERVICES, "imageworker.target", "imagebot.target"])
    assert set(vps.check_output(f"systemctl is-active {units}").split()) == {"active"}
    assert set(vps.check_output(f"systemctl is-enabled {units}").split()) == {"enabled"}
    assert vps.run("systemctl is-active redis-server").stdout.strip() == "inactive"
    assert vps.run("systemctl is-enabled redis-server").stdout.strip() == "disabled"


def test_nothing_failed(vps: Host, nfs: Host) -> None:
    for host in (vps, nfs):
        assert host.check_output("systemctl list-units --failed --plain --no-legend") == ""


def test_the_limits_of_a_worker_are_in_force(vps: Host) -> None:
    group = properties(vps, "imageworker@3", "ControlGroup")["ControlGroup"]
    limits = vps.check_output(f"cd /sys/fs/cgroup{group} && cat memory.max memory.swap.max cpu.max pids.max")
    assert limits.splitlines() == [str(2 * 1024**3), "0", "200000 100000", "256"]


def test_systemd_watches_the_workers(vps: Host) -> None:
    shown = properties(vps, "imageworker@3", "Type", "WatchdogUSec", "Restart", "NotifyAccess", "StatusText")
    assert shown["StatusText"]
    assert shown["Type"] == "notify"
    assert shown["NotifyAccess"] == "main"
    assert shown["WatchdogUSec"] == "30s"
    assert shown["Restart"] == "always"


@pytest.mark.parametrize("unit", ["imageworker@1", "imagebot@1", "redis-server@queue", "prometheus-node-exporter"])
def test_services_are_sandboxed(vps: Host, unit: str) -> None:
    # Exposure in tenths: an unprotected service has 96.
    assert vps.run(f"systemd-analyze security --offline=no --threshold=20 --no-pager {unit}").rc == 0


SWITCHES = [
    "ProtectHome",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "PrivateDevices",
    "PrivateTmp",
    "PrivateUsers",
    "RemoveIPC",
    "NoNewPrivileges",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
]


# Debian's unit, but for what it may write; tests/unit/roles/test_sandboxes.py has the units that are ours.
@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_redis_is_shut_in_and_writes_only_its_own_directory(vps: Host, instance: str) -> None:
    expected = {
        "ProtectSystem": "strict",
        "ReadWritePaths": f"/var/lib/redis/{instance}",
        "CapabilityBoundingSet": "",
        "ProtectProc": "invisible",
        **dict.fromkeys(SWITCHES, "yes"),
        "SystemCallArchitectures": "native",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "NoExecPaths": "/",
        # It comes back however often it ends: after a full disk, each start may fail until there is room.
        "Restart": "always",
        "RestartUSec": "1s",
        "StartLimitIntervalUSec": "0",
    }
    assert properties(vps, f"redis-server@{instance}", *expected) == expected
    reach = properties(vps, f"redis-server@{instance}", "IPAddressDeny", "IPAddressAllow")
    assert {name: set(networks.split()) for name, networks in reach.items()} == {
        "IPAddressDeny": {"0.0.0.0/0", "::/0"},
        "IPAddressAllow": {"127.0.0.0/8", "::1/128"},
    }


def test_only_ssh_listens_to_the_world(vps: Host) -> None:
    listening = [
        line.split()[3] for line in vps.check_output("ss --tcp --listening --numeric --no-header").splitlines()
    ]
    public = {address for address in listening if not address.startswith(("127.", "[::1]"))}
    assert public <= {"0.0.0.0:22", "[::]:22"}
    assert vps.run("systemctl is-enabled rpcbind.socket").stdout.strip() == "disabled"
    assert {"127.0.0.1:6379", "127.0.0.1:6380", "127.0.0.1:9100"} <= set(listening)


@pytest.mark.parametrize(
    ("path", "mode", "owner"),
    [
        ("/etc/imagebot/credentials", "700", "root:root"),
        ("/etc/imagebot/credentials/imagebot_telegram_token", "600", "root:root"),
        ("/etc/imagebot/credentials/imagebot_fal_key", "600", "root:root"),
        ("/etc/imagebot/credentials/imagebot_redis_password_operator", "600", "root:root"),
        ("/etc/imagebot/worker.env", "644", "root:root"),
        ("/etc/redis/users-queue.acl", "640", "root:redis"),
        ("/var/lib/redis/queue", "750", "redis:redis"),
        ("/opt/imagebot/current/app/__init__.py", "644", "root:root"),
    ],
)
def test_files_belong_to_whom_they_should(vps: Host, path: str, mode: str, owner: str) -> None:
    assert vps.check_output(f"stat --format='%a %U:%G' {path}") == f"{mode} {owner}"


@pytest.mark.parametrize(
    ("user", "other"), [("imageworker", "imagebot"), ("imagebot", "imageworker"), ("nobody", "")]
)
def test_nobody_reads_what_another_s_unit_was_given(vps: Host, user: str, other: str) -> None:
    units = [f"{each}@1.service" for each in ("imagebot", "imageworker") if each != user]
    secrets = "/etc/imagebot/credentials/* " + " ".join(f"/run/credentials/{unit}/*" for unit in units)
    state = f"/var/lib/{other or 'imagebot'}/*"
    pids = " ".join(f"/proc/{properties(vps, unit, 'MainPID')['MainPID']}/environ" for unit in units)
    files = vps.check_output(f"ls -d {secrets} {state} {pids}").split()  # as root, who sees them all
    assert len(files) > 5
    for path in files:
        assert vps.run(f"runuser -u {user} -- cat {path}").rc != 0, f"{user} reads {path}"


def test_a_release_s_bill_of_materials_names_what_is_installed(vps: Host) -> None:
    release = vps.check_output("basename $(readlink -f /opt/imagebot/current)")
    bill = json.loads(vps.check_output(f"cat /opt/imagebot/archives/{release}.cdx.json"))
    installed = json.loads(vps.check_output("/opt/imagebot/current/venv/bin/python -m pip list --format=json"))
    assert bill["bomFormat"] == "CycloneDX"
    assert versions(installed) - {"pip", "setuptools"} <= versions(bill["components"])


def test_secrets_show_nowhere(vps: Host, secrets: list[str]) -> None:
    everything = vps.check_output(
        "ps -eww -o args; journalctl --no-pager --quiet --output=cat; cat /etc/imagebot/*.env;"
        "systemctl show 'imageworker@*' 'imagebot@*';"
        "for pid in $(pgrep -f 'app[.](worker|bot)'); do tr '\\0' '\\n' < /proc/$pid/environ; done"
    )
    assert "IMAGEBOT_REDIS_USERNAME=worker" in everything
    assert not [secret for secret in secrets if secret in everything]


# As root's shell has it, and as little as cron gives.
@pytest.mark.parametrize("environment", ["", "env -i PATH=/usr/bin:/bin "])
def test_the_plans_commands_work_as_written(vps: Host, environment: str) -> None:
    assert vps.check_output(f"{environment}redis-cli LLEN rq:queue:img_queue").isdigit()
    assert vps.check_output(f'{environment}redis-cli KEYS "rq:job:*" | wc -l').isdigit()
    assert "total_commands_processed" in vps.check_output(f"{environment}redis-cli INFO stats")


@pytest.mark.parametrize("port", [6379, 6380])
def test_without_a_password_nobody_gets_an_answer(vps: Host, port: int) -> None:
    for command in ("PING", "INFO stats", "LLEN rq:queue:img_queue"):
        assert vps.check_output(f"runuser -u nobody -- redis-cli -p {port} {command}").startswith("NOAUTH")


@pytest.mark.parametrize(
    ("port", "setting", "value"),
    [
        (6379, "maxmemory-policy", "noeviction"),
        (6379, "appendonly", "yes"),
        (6379, "appendfsync", "always"),
        (6379, "save", "60 1000"),
        (6380, "maxmemory-policy", "allkeys-lru"),
        (6380, "maxmemory", str(2 * 1024**3)),
        (6380, "appendonly", "yes"),
        (6380, "save", "60 1000"),
    ],
)
def test_redis_runs_as_the_plan_says(vps: Host, port: int, setting: str, value: str) -> None:
    assert operator(vps, port, f"CONFIG GET {setting}").splitlines() == [setting, value]


def test_the_kernel_lets_redis_fork(vps: Host) -> None:
    assert vps.check_output("cat /proc/sys/vm/overcommit_memory") == "1"


def test_a_bad_setting_ends_a_worker_once_and_names_itself(vps: Host) -> None:
    unit, drop_in = "imageworker@99", "/run/systemd/system/imageworker@99.service.d"
    vps.check_output(
        f"mkdir -p {drop_in} && printf '[Service]\\nEnvironmentFile=\\nEnvironment=IMAGEBOT_LOG_LEVEL=LOUD\\n'"
        f" > {drop_in}/test.conf && systemctl daemon-reload"
    )
    vps.run(f"systemctl start {unit}")
    shown = properties(vps, unit, "ExecMainStatus", "NRestarts", "ActiveState")
    this_start = properties(vps, unit, "InvocationID")["InvocationID"]
    said = vps.check_output(f"journalctl --no-pager --output=cat _SYSTEMD_INVOCATION_ID={this_start} _COMM=python")
    vps.check_output(f"rm -r {drop_in} && systemctl daemon-reload && systemctl reset-failed {unit}")
    assert shown == {"ExecMainStatus": "78", "NRestarts": "0", "ActiveState": "failed"}
    assert len(said.splitlines()) == 1
    assert "IMAGEBOT_LOG_LEVEL" in said
