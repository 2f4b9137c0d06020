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
    ("worker", "imageworker@.service.j2"): APPLICATION,
    ("bot", "imagebot@.service.j2"): APPLICATION,
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
