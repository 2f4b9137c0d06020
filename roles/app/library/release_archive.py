#!/usr/bin/python
"""Ansible module: pack what a release ships into an archive named by its content."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: release_archive
short_description: Pack the application of a checkout into a reproducible archive
description:
  - Packs C(app/) and C(requirements.txt). The same content gives the same bytes and so the same release, whoever
    packs it, when and where.
  - Writes the archive in check mode too, into a directory of the controller. The tasks after it need it, and no
    host is touched.
options:
  source: {description: The checkout., type: path, required: true}
  directory: {description: Where to put the archive., type: path, required: true}
author:
  - imagebot
"""

RETURN = r"""
release: {description: The release, 12 hex digits., type: str, returned: always}
requirements: {description: SHA-256 of the requirements file, 12 hex digits., type: str, returned: always}
path: {description: The archive., type: str, returned: always}
"""

ID_LENGTH = 12


def shipped_files(source: Path) -> list[Path]:
    """Return the files of a release, in a fixed order."""
    code = (
        path
        for path in (source / "app").rglob("*")
        if path.is_file()
        and path.suffix != ".pyc"
        and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )
    return [source / "requirements.txt", *sorted(code)]


def pack(source: Path) -> bytes:
    """Return the archive: no times, no owners, no umask in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in shipped_files(source):
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(source).as_posix())
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def main() -> None:
    """Pack, and write the archive unless it is there."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    source = Path(module.params["source"])
    try:
        content = pack(source)
        requirements = (source / "requirements.txt").read_bytes()
    except FileNotFoundError as error:
        module.fail_json(msg=f"{source} is no checkout of imagebot: {error.filename} is missing.")
    release = hashlib.sha256(content).hexdigest()[:ID_LENGTH]
    path = Path(module.params["directory"]) / f"{release}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    module.exit_json(
        changed=False,
        release=release,
        requirements=hashlib.sha256(requirements).hexdigest()[:ID_LENGTH],
        path=str(path),
    )


if __name__ == "__main__":
    main()
