"""The module that brings a set of units to the wanted state, against a systemctl that only remembers."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.modules import call, load

SYSTEMCTL = """\
#!{python}
import json, pathlib, sys
state_file = pathlib.Path({state!r})
state = json.loads(state_file.read_text())
verb, *words = sys.argv[1:]
units = [word for word in words if not word.startswith("-")]
none = {{"ActiveState": "inactive", "UnitFileState": "disabled", "NeedDaemonReload": "no"}}
known = state["units"]
if "--value" in words:
    print(known.get(units[0], none)["ActiveState"] + "\\nWaiting for Telegram")
elif verb == "show":
    rows = ({{"Id": unit, **none, **known.get(unit, {{}})}} for unit in units)
    print("\\n\\n".join("\\n".join(f"{{key}}={{value}}" for key, value in row.items()) for row in rows))
elif verb == "list-units":
    print("\\n".join(f"{{unit}} loaded x y z" for unit in known))
elif verb == "is-active":
    active = known.get(units[0], none)["ActiveState"]
    print(active)
    sys.exit(active != "active")
else:
    state["calls"].append([verb, *units])
    changes = {{
        "enable": {{"UnitFileState": "enabled"}},
        "disable": {{"UnitFileState": "disabled", "ActiveState": "inactive"}},
        "start": {{"ActiveState": "active"}},
    }}.get(verb, {{}})
    for unit in units:
        known[unit] = none | known.get(unit, {{}}) | changes
    state_file.write_text(json.dumps(state))
    if verb in state["broken"]:
        print("it is broken", file=sys.stderr)
        sys.exit(1)
"""


class Host:
    """A host whose systemd is the script above."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._state = root / "state.json"
        self._state.write_text(json.dumps({"units": {}, "calls": [], "broken": []}))
        self._credentials = root / "credentials"
        self._capsys = capsys
        for name, text in (
            ("systemctl", SYSTEMCTL.format(python=sys.executable, state=str(self._state))),
            ("journalctl", "#!/bin/sh\necho the last words\n"),
        ):
            program = root / name
            program.write_text(text)
            program.chmod(0o755)
        monkeypatch.setenv("PATH", str(root), prepend=":")
        self._module = load("playbooks/library/systemd_units.py")
        monkeypatch.setattr(self._module, "CREDENTIALS", self._credentials)
        monkeypatch.setattr(self._module, "UNIT_LINKS", root / "links")

    def has(self, unit: str, active: str = "active", revision: str = "", **properties: str) -> None:
        state = json.loads(self._state.read_text())
        state["units"][unit] = {
            "ActiveState": active,
            "UnitFileState": "enabled",
            "NeedDaemonReload": "no",
            **properties,
        }
        self._state.write_text(json.dumps(state))
        if revision:
            (self._credentials / unit).mkdir(parents=True, exist_ok=True)
            (self._credentials / unit / "unit_revision").write_text(revision)

    def breaks(self, verb: str) -> None:
        state = json.loads(self._state.read_text())
        state["broken"].append(verb)
        self._state.write_text(json.dumps(state))

    def calls(self) -> list[list[str]]:
        return list(json.loads(self._state.read_text())["calls"])

    def wants(
        self, *units: str, revision: str = "", stopped: str = "worker@*.service", check: bool = False
    ) -> dict[str, Any]:
        running = dict.fromkeys(units, revision)
        return call(self._module, self._capsys, check, running=running, stopped=[stopped])


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(tmp_path, monkeypatch, capsys)


def test_a_fresh_host_enables_and_starts_all_in_one_call_each(host: Host) -> None:
    assert host.wants("worker@1.service", "worker@2.service")["changed"]
    assert host.calls() == [
        ["enable", "worker@1.service", "worker@2.service"],
        ["start", "worker@1.service", "worker@2.service"],
    ]


def test_a_second_run_changes_nothing(host: Host) -> None:
    host.has("worker@1.service", revision="a")
    assert not host.wants("worker@1.service", revision="a")["changed"]
    assert host.calls() == []


def test_check_mode_tells_and_does_nothing(host: Host) -> None:
    host.has("worker@2.service")
    told = host.wants("worker@1.service", check=True)
    assert told["changed"]
    assert told["started"] == ["worker@1.service"]
    assert told["stopped"] == ["worker@2.service"]
    assert host.calls() == []


def test_scaling_up_leaves_the_running_alone(host: Host) -> None:
    host.has("worker@1.service", revision="a")
    told = host.wants("worker@1.service", "worker@2.service", revision="a")
    assert told["started"] == ["worker@2.service"]
    assert told["restarted"] == []


@pytest.mark.parametrize("state", ["active", "failed", "activating", "inactive"])
def test_scaling_down_stops_and_disables_whatever_state_the_surplus_is_in(host: Host, state: str) -> None:
    host.has("worker@1.service")
    host.has("worker@2.service", active=state)
    assert host.wants("worker@1.service")["stopped"] == ["worker@2.service"]
    assert host.calls() == [["disable", "worker@2.service"]]
    assert not host.wants("worker@1.service")["changed"]


def test_what_failed_while_it_stopped_is_forgotten(host: Host) -> None:
    host.has("worker@2.service", active="failed", UnitFileState="disabled")
    assert host.wants("worker@1.service")["stopped"] == ["worker@2.service"]


def test_other_units_are_nobodys_business(host: Host) -> None:
    host.has("worker@1.service")
    host.has("ssh.service")
    assert not host.wants("worker@1.service")["changed"]


def test_an_older_revision_is_restarted(host: Host) -> None:
    host.has("worker@1.service", revision="old")
    host.has("worker@2.service", revision="new")
    assert host.wants("worker@1.service", "worker@2.service", revision="new")["restarted"] == ["worker@1.service"]
    assert host.calls() == [["restart", "worker@1.service"]]


def test_a_restart_that_failed_is_still_owed(host: Host) -> None:
    host.has("worker@1.service", revision="old")
    host.breaks("restart")
    assert host.wants("worker@1.service", revision="new")["failed"]
    assert host.wants("worker@1.service", revision="new", check=True)["restarted"] == ["worker@1.service"]


def test_a_failure_is_told_with_the_journal_of_the_unit(host: Host) -> None:
    host.breaks("start")
    host.has("worker@1.service", active="failed")
    host.breaks("enable")
    told = host.wants("worker@2.service")
    assert told["failed"]
    assert "it is broken" in told["msg"]
    assert "worker@2.service is inactive: Waiting for Telegram; its journal ends:\nthe last words" in told["msg"]


def test_stale_unit_files_are_read_again_first(host: Host) -> None:
    host.has("worker@1.service", NeedDaemonReload="yes", active="inactive")
    host.wants("worker@1.service")
    assert host.calls() == [["daemon-reload"], ["start", "worker@1.service"]]
