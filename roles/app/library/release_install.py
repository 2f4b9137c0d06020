#!/usr/bin/python
"""Ansible module: unpack a release, give it its venv, make it the current one, forget the oldest."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: release_install
short_description: Install a release beside the others and switch to it
description:
  - A venv belongs to one lock file and one Python, a release to one content; what is there is not made again.
  - A venv counts only when its installation ended well, a release appears under its name only when it is whole, and
    C(current) is switched by a rename. Whatever fails, the release that was current stays so.
  - Returns the fact C(imagebot_release).
options:
  root: {description: "Holds C(archives), C(releases), C(venvs) and C(current).", type: path, required: true}
  release: {description: "The release; its archive is C(archives/RELEASE.tar).", type: str, required: true}
  requirements: {description: The hash that names the lock file., type: str, required: true}
  python: {description: The interpreter to make venvs with., type: path, default: /usr/bin/python3}
  keep: {description: How many releases stay., type: int, default: 3}
author:
  - imagebot
"""

RETURN = r"""
installed: {description: What was made or switched., type: list, returned: always}
removed: {description: What was forgotten., type: list, returned: always}
"""

COMPLETE = ".complete"


class Releases:
    """The tree below /opt/imagebot."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.root = Path(module.params["root"])
        self.release = self.root / "releases" / module.params["release"]
        self.archive = self.root / "archives" / f"{module.params['release']}.tar"
        version = self._run(
            module.params["python"], "-c", "import sys; print('{}.{}'.format(*sys.version_info))"
        ).strip()
        self.venv = self.root / "venvs" / f"{module.params['requirements']}-{version}"
        self.current = self.root / "current"

    def missing(self) -> list[str]:
        """Name what is not yet as wanted."""
        wanted = {
            f"venvs/{self.venv.name}": (self.venv / COMPLETE).exists(),
            f"releases/{self.release.name}": links_to(self.release / "venv", self._venv_link),
            "current": links_to(self.current, self._current_link),
        }
        return [name for name, there in wanted.items() if not there]

    def install(self) -> None:
        """Make what is missing, whole or not at all, then switch."""
        if not (self.venv / COMPLETE).exists():
            self._make_venv()
        if not self.release.exists():
            self._unpack()
        link(self.release / "venv", self._venv_link)
        os.utime(self.release)
        link(self.current, self._current_link)

    def surplus(self, keep: int) -> list[Path]:
        """Return the oldest releases beyond `keep`, with the archives and venvs that only they use."""
        releases = [path for path in (self.root / "releases").glob("[!.]*") if path != self.release]
        releases.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        kept = [self.release, *releases[: keep - 1]]
        venvs = {self.venv.name} | {(path / "venv").readlink().name for path in kept if (path / "venv").is_symlink()}
        archives = {f"{path.name}.{kind}" for path in kept for kind in ("tar", "cdx.json")}
        return [
            *releases[keep - 1 :],
            *(self.root / "releases").glob(".*"),  # what an interrupted installation left
            *(path for path in (self.root / "archives").glob("*") if path.name not in archives),
            *(path for path in (self.root / "venvs").glob("*") if path.name not in venvs),
        ]

    @property
    def _venv_link(self) -> str:
        return f"../../venvs/{self.venv.name}"

    @property
    def _current_link(self) -> str:
        return f"releases/{self.release.name}"

    def _shipped(self) -> dict[str, bytes]:
        with tarfile.open(self.archive) as archive:
            return {member.name: content.read() for member in archive if (content := archive.extractfile(member))}

    def _make_venv(self) -> None:
        self._run(self._module.params["python"], "-m", "venv", "--clear", str(self.venv))
        self._run(
            *(str(self.venv / "bin/python"), "-m", "pip", "install", "--quiet", "--no-input", "--no-cache-dir"),
            *("--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"),
            *("--requirement", "/dev/stdin"),
            data=self._shipped()["requirements.txt"].decode(),
        )
        (self.venv / COMPLETE).touch()

    def _unpack(self) -> None:
        temporary = self.release.with_name(f".{self.release.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        for name, content in self._shipped().items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        # Services can't write here, so nobody else would ever keep the compiled code.
        self._run(str(self.venv / "bin/python"), "-m", "compileall", "-q", str(temporary / "app"))
        temporary.rename(self.release)

    def _run(self, *command: str, data: str | None = None) -> str:
        code, out, error = self._module.run_command(list(command), data=data)
        if code != 0:
            self._module.fail_json(msg=f"{' '.join(command)} failed:\n{(error or out).strip()[-3000:]}")
        return str(out)


def links_to(path: Path, target: str) -> bool:
    """Tell whether the path is a symbolic link with exactly this target."""
    return path.is_symlink() and str(path.readlink()) == target


def link(path: Path, target: str) -> None:
    """Point a symbolic link elsewhere, with no instant without it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.rename(path)


def main() -> None:
    """Compare, then install and prune."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "release": {"type": "str", "required": True},
            "requirements": {"type": "str", "required": True},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "keep": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    releases = Releases(module)
    missing = releases.missing()
    if missing and not module.check_mode:
        releases.install()
    surplus = releases.surplus(module.params["keep"])
    if not module.check_mode:
        for path in surplus:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    module.exit_json(
        changed=bool(missing or surplus),
        installed=missing,
        removed=[str(path.relative_to(releases.root)) for path in surplus],
        ansible_facts={"imagebot_release": releases.release.name},
    )


if __name__ == "__main__":
    main()
