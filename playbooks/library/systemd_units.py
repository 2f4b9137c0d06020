#!/usr/bin/python
"""Ansible module: bring a whole set of systemd units to the wanted state with a few systemctl calls."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: systemd_units
short_description: Run exactly the wanted systemd units, and their newest revision
description:
  - Enables and starts the units of O(running), all in one call, and stops and disables the units that
    match O(stopped) and are not wanted, dead and failed ones too.
  - A unit that declares C(SetCredential=unit_revision:REVISION) shows the revision it was started with below
    C(/run/credentials). When that is not the wanted one, the unit is restarted. So a restart is owed until
    it has happened, however many runs failed in between.
  - Reloads systemd's configuration when it is stale.
options:
  running:
    description: The wanted units, each with its revision; an empty revision is not compared.
    type: dict
    default: {}
  wait:
    description:
      - How many seconds all that is started may take to be ready. After that the module fails and tells what the
        unit says it waits for; the unit goes on waiting.
    type: int
    default: 180
  stopped:
    description: Names or patterns (C(imageworker@*.service)) of units that must not run unless O(running) names them.
    type: list
    elements: str
    default: []
author:
  - imagebot
"""

EXAMPLES = r"""
- name: Run two workers and no more
  systemd_units:
    running:
      imageworker@1.service: 3f2a
      imageworker@2.service: 3f2a
    stopped:
      - imageworker@*.service
"""

RETURN = r"""
enabled: {description: Units enabled., type: list, returned: always}
started: {description: Units started., type: list, returned: always}
restarted: {description: Units restarted into their newest revision., type: list, returned: always}
stopped: {description: Units stopped and disabled., type: list, returned: always}
"""

CREDENTIALS = Path("/run/credentials")
UNIT_LINKS = Path("/etc/systemd/system")
TIMED_OUT = 124  # what timeout(1) exits with
PROPERTIES = ("Id", "ActiveState", "UnitFileState", "NeedDaemonReload")


class Systemd:
    """systemctl, and what it says about units."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self._systemctl = module.get_bin_path("systemctl", required=True)

    def call(self, *arguments: str) -> str:
        """Run systemctl; a failure ends the module with the journal of a unit that failed."""
        wait: int = self._module.params["wait"]
        code, out, error = self._module.run_command(["timeout", str(wait), self._systemctl, *arguments])
        if code == TIMED_OUT:
            error = f"not ready after {wait} s"
        if code != 0:
            self._module.fail_json(msg=self._explain(arguments, error.strip()))
        return str(out)

    def show(self, units: list[str]) -> dict[str, dict[str, str]]:
        """Return the properties of each unit."""
        if not units:
            return {}
        blocks = self.call("show", f"--property={','.join(PROPERTIES)}", "--", *units).strip().split("\n\n")
        rows = (dict(line.split("=", 1) for line in block.splitlines()) for block in blocks)
        return dict(zip(units, rows, strict=True))

    def matching(self, patterns: list[str]) -> list[str]:
        """Return the units that systemd has loaded, or that are enabled, and match one of the patterns."""
        if not patterns:
            return []
        listed = self.call("list-units", "--all", "--plain", "--no-legend", "--full", "--", *patterns)
        found = {line.split()[0] for line in listed.splitlines() if line.strip()}
        found |= {link.name for pattern in patterns for link in UNIT_LINKS.glob(f"*.wants/{pattern}")}
        return sorted(unit for unit in found if any(fnmatch(unit, pattern) for pattern in patterns))

    def _explain(self, arguments: tuple[str, ...], error: str) -> str:
        units = [argument for argument in arguments[1:] if not argument.startswith("-")]
        story = [f"systemctl {arguments[0]} failed: {error}"]
        for unit in units:
            code, _, _ = self._module.run_command([self._systemctl, "is-active", "--quiet", unit])
            if code == 0 or unit.endswith(".target"):
                continue
            _, state, _ = self._module.run_command(
                [self._systemctl, "show", "--value", "--property=ActiveState,StatusText", unit]
            )
            state = ": ".join(filter(None, state.splitlines()))
            _, journal, _ = self._module.run_command(
                ["journalctl", "--no-pager", "--quiet", "--output=cat", "--lines=15", f"--unit={unit}"]
            )
            story.append(f"{unit} is {state}; its journal ends:\n{journal.strip()}")
            break  # its neighbours tell the same story
        return "\n".join(story)


def runs_revision(unit: str, revision: str) -> bool:
    """Tell whether a running unit was started with this revision."""
    if not revision:
        return True
    try:
        return (CREDENTIALS / unit / "unit_revision").read_text() == revision
    except FileNotFoundError:
        return False


def main() -> None:
    """Compare, then act with one systemctl call for each kind of change."""
    module = AnsibleModule(
        argument_spec={
            "running": {"type": "dict", "default": {}},
            "stopped": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    wanted: dict[str, str] = module.params["running"]
    systemd = Systemd(module)

    surplus = [unit for unit in systemd.matching(module.params["stopped"]) if unit not in wanted]
    state = systemd.show([*wanted, *surplus])
    active = {unit for unit, row in state.items() if row["ActiveState"] in ("active", "reloading")}
    disabled = {unit for unit, row in state.items() if row["UnitFileState"] in ("disabled", "indirect", "")}

    stop = [unit for unit in surplus if unit not in disabled or state[unit]["ActiveState"] != "inactive"]
    enable = [unit for unit in wanted if unit in disabled]
    start = [unit for unit in wanted if unit not in active]
    restart = [unit for unit, revision in wanted.items() if unit in active and not runs_revision(unit, revision)]

    if not module.check_mode:
        if any(row["NeedDaemonReload"] == "yes" for row in state.values()):
            systemd.call("daemon-reload")
        if stop:
            systemd.call("disable", "--now", "--quiet", "--", *stop)
            failed = [unit for unit, row in systemd.show(stop).items() if row["ActiveState"] == "failed"]
            if failed:
                systemd.call("reset-failed", "--", *failed)
        if enable:
            systemd.call("enable", "--quiet", "--", *enable)
        if restart:
            systemd.call("restart", "--", *restart)
        if start:
            systemd.call("start", "--", *start)

    module.exit_json(
        changed=bool(stop or enable or start or restart),
        stopped=stop,
        enabled=enable,
        started=start,
        restarted=restart,
    )


if __name__ == "__main__":
    main()
