#!/usr/bin/python
"""Ansible module: bring several files and directories to the wanted content and mode in one trip to the host."""

from __future__ import annotations

import grp
import os
import pwd
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: managed_files
short_description: Write several files and directories at once
description:
  - What C(template) and C(file) tasks would do one by one, with two trips to the host and two starts of Python for
    each. Of about 80 trips in a run of site.yml that changes nothing, 30 are left.
  - Contents come from C(lookup('ansible.builtin.template', ...)). Parents of files must exist or come first.
  - The contents are not written to the host's log. Secrets still need C(no_log) and C(diff=false) on the task.
options:
  files:
    description: Files and directories, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: Where., type: path, required: true}
      content: {description: What a file holds. Without it the path is a directory., type: str}
      owner: {description: Its owner., type: str, default: root}
      group: {description: Its group., type: str, default: root}
      mode: {description: "Its mode; 0644 for files and 0755 for directories if nothing is said.", type: str}
      validate: {description: A command that must accept the new content; C(%s) is its file., type: str}
author:
  - imagebot
"""

EXAMPLES = r"""
- name: Write the settings
  managed_files:
    files:
      - path: /etc/example
      - path: /etc/example/settings.conf
        content: "{{ lookup('ansible.builtin.template', 'settings.conf.j2') }}"
        mode: "0600"
"""

RETURN = r"""
changed_paths: {description: What was written or changed., type: list, returned: always}
"""


class ManagedFile:
    """One file or directory, wanted and found."""

    def __init__(self, module: AnsibleModule, wanted: dict[str, Any]) -> None:
        self._module = module
        self.path = Path(wanted["path"])
        self._content: bytes | None = None if wanted["content"] is None else wanted["content"].encode()
        self._owner: str = wanted["owner"]
        self._group: str = wanted["group"]
        self._mode = int(wanted["mode"] or ("0755" if self._content is None else "0644"), 8)
        self._validate: str | None = wanted["validate"]
        self._found = self._read()

    def _read(self) -> bytes | None:
        if self._content is None or not self.path.is_file():
            return None
        return self.path.read_bytes()

    def has_content(self) -> bool:
        """Tell whether the directory is there, or the file with the wanted content."""
        return self.path.is_dir() if self._content is None else self._found == self._content

    def has_attributes(self) -> bool:
        """Tell whether owner, group and mode are as wanted. An account that does not exist yet owns nothing."""
        try:
            status = self.path.lstat()
            owner, group = self._ids()
        except (FileNotFoundError, KeyError):
            return False
        return (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (owner, group, self._mode)

    def diff(self) -> dict[str, str]:
        """Return what `--diff` shows."""
        if self._content is None or self.has_content():
            change = f"{self._owner}:{self._group} {self._mode:04o}\n"
            return {"header": str(self.path), "before": "", "after": change}
        before, after = (self._found or b"").decode(errors="replace"), self._content.decode()
        return {"before_header": str(self.path), "after_header": str(self.path), "before": before, "after": after}

    def write(self) -> None:
        """Make it as wanted; a file appears whole, and with its mode, or not at all."""
        if self._content is None:
            self.path.mkdir(exist_ok=True, mode=self._mode)
            self._set_attributes(self.path)
            return
        if self.has_content():
            self._set_attributes(self.path)
            return
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self._content)
            self._check(name)
            self._set_attributes(temporary)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _check(self, name: str) -> None:
        if not self._validate:
            return
        code, out, error = self._module.run_command(self._validate.replace("%s", name))
        if code != 0:
            self._module.fail_json(msg=f"{self.path} would be wrong, and was left alone: {(error or out).strip()}")

    def _set_attributes(self, path: Path) -> None:
        os.chown(path, *self._ids())
        path.chmod(self._mode)

    def _ids(self) -> tuple[int, int]:
        return pwd.getpwnam(self._owner).pw_uid, grp.getgrnam(self._group).gr_gid


def main() -> None:
    """Compare all, then write those that differ."""
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "content": {"type": "str"},
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str"},
                    "validate": {"type": "str"},
                },
            }
        },
        supports_check_mode=True,
        no_log=True,
    )
    changed, diffs = [], []
    for wanted in module.params["files"]:
        file = ManagedFile(module, wanted)
        if file.has_content() and file.has_attributes():
            continue
        changed.append(str(file.path))
        diffs.append(file.diff())
        if not module.check_mode:
            try:
                file.write()
            except (OSError, KeyError) as error:
                module.fail_json(msg=f"{file.path} can't be written: {error}", changed_paths=changed)
    module.exit_json(changed=bool(changed), changed_paths=changed, diff=diffs)


if __name__ == "__main__":
    main()
