#!/usr/bin/python
"""Ansible module: keep a part of an ext4 file system for one group."""

from __future__ import annotations

import grp
import json
import re
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: reserved_space
short_description: Keep a part of an ext4 file system for one group
description:
  - ext4 keeps some blocks for root. This gives them to a group as well, and makes them at least so many, so that
    processes with this group (a supplementary one will do) can still write when everybody else gets C(ENOSPC).
  - Takes effect at once, and lasts over boots. Space that is reserved already is never given back.
  - Another kind of file system is left alone, with a warning.
options:
  path:
    description: A file or directory on the file system; of one that is not there yet, the nearest parent.
    type: path
    required: true
  group:
    description: Name of the group.
    type: str
    required: true
  megabytes:
    description: How much is kept, in MiB.
    type: int
    required: true
author:
  - imagebot
"""

EXAMPLES = r"""
- name: Keep 4 GB for the queue's Redis
  reserved_space:
    path: /var/lib/redis
    group: redis-queue
    megabytes: 4096
"""

RETURN = r"""
mount: {description: Where the file system is mounted., type: str, returned: on ext4}
"""

DEVICES = Path("/dev/block")


def run(module: AnsibleModule, *command: str) -> str:
    """Run a program, wherever it lies; a failure ends the module with its words."""
    program = module.get_bin_path(command[0], required=True)
    code, out, error = module.run_command([program, *command[1:]])
    if code != 0:
        module.fail_json(msg=f"{command[0]} failed: {(error or out).strip()}")
    return str(out)


def mounted(module: AnsibleModule, path: Path) -> dict[str, str]:
    """Return kind, device, place and options of the file system that a path is on, or will be on."""
    while not path.exists():
        path = path.parent
    columns = "--output=FSTYPE,MAJ:MIN,TARGET,OPTIONS"
    told = json.loads(run(module, "findmnt", "--json", columns, "--target", str(path)))
    found: dict[str, str] = told["filesystems"][0]
    return found


def reserve(module: AnsibleModule) -> dict[str, Any]:
    """Do it; return the module's result."""
    wanted: dict[str, Any] = module.params
    found = mounted(module, Path(wanted["path"]))
    if found["fstype"] != "ext4":
        warning = (
            f"{found['target']} is {found['fstype']}, which can't keep room for one group: where others may fill it, "
            f"give {wanted['path']} a file system of its own."
        )
        return {"changed": False, "warnings": [warning]}
    if module.check_mode and module.get_bin_path("tune2fs") is None:  # its package comes in the same run
        return {"changed": True, "mount": found["target"]}
    device = DEVICES / found["maj:min"]
    told = run(module, "tune2fs", "-l", str(device))
    block, reserved, total, owner = (
        int(re.search(rf"^{name}: +(\d+)", told, re.MULTILINE)[1])  # type: ignore[index]  # tune2fs prints them all
        for name in ("Block size", "Reserved block count", "Block count", "Reserved blocks gid")
    )
    blocks = (wanted["megabytes"] << 20) // block
    if blocks > total // 4:
        module.fail_json(
            msg=f"{wanted['megabytes']} MB for {wanted['group']} are more than a quarter of {found['target']}, "
            f"which has {total * block >> 20} MB: take a bigger disk, or reserve less."
        )
    try:
        group = grp.getgrnam(wanted["group"]).gr_gid
    except KeyError:
        if not module.check_mode:
            module.fail_json(msg=f"There is no group {wanted['group']}.")
        return {"changed": True, "mount": found["target"]}
    lasting = owner == group and reserved >= blocks
    # Of a mounted file system the kernel takes the number of blocks from where tune2fs writes it, the group does not.
    present = f"resgid={group}" in found["options"].split(",")
    if not module.check_mode:
        if not lasting:
            run(module, "tune2fs", "-g", str(group), "-r", str(max(blocks, reserved)), str(device))
        if not present:
            run(module, "mount", "-o", f"remount,resgid={group}", found["target"])
    return {"changed": not (lasting and present), "mount": found["target"]}


def main() -> None:
    """Run the module."""
    arguments = {
        "path": {"type": "path", "required": True},
        "group": {"type": "str", "required": True},
        "megabytes": {"type": "int", "required": True},
    }
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    module.exit_json(**reserve(module))


if __name__ == "__main__":
    main()
