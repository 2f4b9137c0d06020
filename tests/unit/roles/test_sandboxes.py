"""How each of our units is shut in: one directive less, one more or another value is a decision, made here too."""

import pytest

from tests.support.roles import render, settings

APPLICATION = {
    "ProtectSystem": ["strict"],
    "ReadWritePaths": ["/srv/imagebot/media"],
    "ProtectHome": ["yes"],
    "ProtectProc": ["invisible"],
    "ProcSubset": ["pid"],
    "ProtectClock": ["yes"],
    "ProtectControlGroups": ["yes"],
    "ProtectHostname": ["yes"],
    "ProtectKernelLogs": ["yes"],
    "ProtectKernelModules": ["yes"],
    "ProtectKernelTunables": ["yes"],
    "PrivateDevices": ["yes"],
    "PrivateIPC": ["yes"],
    "PrivateTmp": ["yes"],
    "PrivateUsers": ["yes"],
    "RemoveIPC": ["yes"],
    "NoNewPrivileges": ["yes"],
    "CapabilityBoundingSet": [""],
    "AmbientCapabilities": [""],
    "LockPersonality": ["yes"],
    "MemoryDenyWriteExecute": ["yes"],
    "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6"],
    "RestrictNamespaces": ["yes"],
    "RestrictRealtime": ["yes"],
    "RestrictSUIDSGID": ["yes"],
    "SystemCallArchitectures": ["native"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
}
RESOLVER = "10.0.0.2"  # the host's (tests/support/inventory.py)
SERVICE = APPLICATION | {
    "SystemCallFilter": [*APPLICATION["SystemCallFilter"], "~memfd_create:EPERM"],
}
BOT = SERVICE | {
    "NoExecPaths": ["/run /tmp /var/tmp /dev/shm /var/lib/imagebot", "/srv/imagebot/media"],
    "IPAddressDeny": ["any"],
    "IPAddressAllow": [
        f"127.0.0.1 ::1 {RESOLVER} fe80::1"
        " 91.105.192.0/23 91.108.4.0/22 91.108.8.0/22 91.108.12.0/22 91.108.16.0/22 91.108.20.0/22 91.108.56.0/22"
        " 149.154.160.0/20 185.76.151.0/24"
        " 2001:67c:4e8::/48 2001:b28:f23c::/48 2001:b28:f23d::/48 2001:b28:f23f::/48 2a0a:f280::/32"
    ],
}
WORKER = SERVICE | {
    "NoExecPaths": ["/run /run/imageworker-%i /tmp /var/tmp /dev/shm /var/lib/imageworker", "/srv/imagebot/media"],
    "IPAddressDeny": [
        "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24"
        " 192.168.0.0/16 198.18.0.0/15 224.0.0.0/3 ::/127 fc00::/7 fe80::/10 ff00::/8"
    ],
    "IPAddressAllow": [f"127.0.0.1 ::1 {RESOLVER} fe80::1"],
}
GO_PROGRAM = {
    "RestrictAddressFamilies": ["AF_UNIX AF_INET AF_INET6 AF_NETLINK"],
    "SystemCallErrorNumber": ["EPERM"],
}
NOT_ITS = ("ReadWritePaths", "PrivateUsers")
CADDY = {name: values for name, values in APPLICATION.items() if name not in NOT_ITS} | GO_PROGRAM
CADDY |= {name: ["CAP_NET_BIND_SERVICE"] for name in ("AmbientCapabilities", "CapabilityBoundingSet")}
# It reads /proc, and Debian's unit has no user namespace for it.
OPEN_TO_THE_EXPORTER = (
    *NOT_ITS,
    *("ProtectProc", "ProcSubset", "ProtectHostname", "PrivateIPC", "RemoveIPC", "AmbientCapabilities"),
)
NODE_EXPORTER = {
    name: values for name, values in APPLICATION.items() if name not in OPEN_TO_THE_EXPORTER
} | GO_PROGRAM
NODE_EXPORTER |= {"ProtectHome": ["read-only"]}
RETENTION = APPLICATION | {
    "IPAddressDeny": ["any"],
    "PrivateNetwork": ["yes"],
    "RestrictAddressFamilies": ["none"],
}

UNITS = {
    ("worker", "imageworker@.service.j2"): WORKER,
    ("bot", "imagebot@.service.j2"): BOT,
    ("media", "imagebot-media-retention.service.j2"): RETENTION,
    ("caddy", "imagebot-caddy.service.j2"): CADDY,
    ("node_exporter", "unit.conf.j2"): NODE_EXPORTER,
}
FAMILIES = (
    "Protect",
    "Private",
    "Restrict",
    "ReadWrite",
    "ReadOnly",
    "Bind",
    "Inaccessible",
    "SystemCall",
    "Exec",
    "NoExec",
    "Proc",
    "IPAddress",
)
OTHERS = {name for name in APPLICATION if not name.startswith(FAMILIES)}
ORDINARY = {"ExecStart", "ExecStartPre", "ExecStopPost"}


@pytest.mark.parametrize(("role", "unit"), UNITS)
def test_a_unit_has_exactly_these(role: str, unit: str) -> None:
    found = {
        name: values
        for name, values in settings(render(role, unit)).items()
        if (name.startswith(FAMILIES) or name in OTHERS) and name not in ORDINARY
    }
    assert found == UNITS[role, unit]


@pytest.mark.parametrize(
    ("role", "unit", "mode"),
    [
        ("worker", "imageworker@.service.j2", "polling"),
        ("bot", "imagebot@.service.j2", "polling"),
        ("bot", "imagebot@.service.j2", "webhook"),
    ],
)
def test_every_directory_that_a_service_is_given_is_without_programs(role: str, unit: str, mode: str) -> None:
    found = settings(render(role, unit, bot_mode=mode, media_url="file:///mnt/pictures"))
    given = [f"/var/lib/{name}" for name in found["StateDirectory"]]
    given += [f"/run/{name}" for name in found.get("RuntimeDirectory", [])]
    given += found["ReadWritePaths"]
    assert "/mnt/pictures" in given
    assert set(given) <= set(" ".join(found["NoExecPaths"]).split())
