"""The module that keeps a part of a disk for one group, with real ext4 file systems, none of them mounted."""

import grp
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.roles import value
from tests.unit.roles.modules import call, load

GROUP = grp.getgrgid(1).gr_name
SIZE_MB = 256


class Disk:
    """A disk, with programs that tell that it is mounted at ``/`` and remember how it is mounted anew."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._root, self._remounts = capsys, root, root / "remounts"
        self._image = root / "8:1"
        subprocess.run(["mkfs.ext4", "-q", str(self._image), f"{SIZE_MB}M"], check=True)
        self.is_mounted("ext4", "rw,relatime")
        for name, text in {
            "findmnt": f"#!/bin/sh\ncat {root}/mounted\n",
            "mount": f'#!/bin/sh\necho "$@" >>{self._remounts}\n',
        }.items():
            (root / name).write_text(text)
            (root / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}:/usr/sbin:/sbin")
        self._module = load("playbooks/library/reserved_space.py")
        monkeypatch.setattr(self._module, "DEVICES", root)

    def is_mounted(self, kind: str, options: str) -> None:
        told = {"fstype": kind, "maj:min": self._image.name, "target": "/", "options": options}
        (self._root / "mounted").write_text(json.dumps({"filesystems": [told]}))

    def reserves(self, megabytes: int, group: str = GROUP, *, check: bool = False) -> dict[str, Any]:
        path = self._root / "not" / "there" / "yet"
        return call(self._module, self._capsys, check, path=path, group=group, megabytes=megabytes)

    def reserved_mb(self) -> int:
        return int(self._told("Reserved block count")) * int(self._told("Block size")) >> 20

    def group(self) -> int:
        return int(self._told("Reserved blocks gid").split()[0])

    def remounts(self) -> list[str]:
        return self._remounts.read_text().splitlines() if self._remounts.exists() else []

    def _told(self, name: str) -> str:
        told = subprocess.run(["tune2fs", "-l", str(self._image)], capture_output=True, text=True, check=True).stdout
        return next(line for line in told.splitlines() if line.startswith(f"{name}:")).split(":")[1].strip()


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Disk:
    return Disk(tmp_path, monkeypatch, capsys)


def test_room_is_kept_for_the_group_from_now_on_and_after_a_boot(disk: Disk) -> None:
    assert disk.reserves(48)["changed"]
    assert (disk.reserved_mb(), disk.group()) == (48, 1)
    assert disk.remounts() == ["-o remount,resgid=1 /"]


def test_a_second_run_changes_nothing(disk: Disk) -> None:
    disk.reserves(48)
    disk.is_mounted("ext4", "rw,relatime,resgid=1")
    assert not disk.reserves(48)["changed"]
    assert len(disk.remounts()) == 1


def test_what_is_reserved_already_is_not_given_back(disk: Disk) -> None:
    before = disk.reserved_mb()
    assert before > 4
    disk.reserves(4)
    assert (disk.reserved_mb(), disk.group()) == (before, 1)


def test_check_mode_tells_and_does_nothing(disk: Disk) -> None:
    before = disk.reserved_mb()
    assert disk.reserves(48, check=True)["changed"]
    assert disk.reserves(48, "nobody-has-this-group-yet", check=True)["changed"]
    assert (disk.reserved_mb(), disk.group(), disk.remounts()) == (before, 0, [])


def test_more_than_a_quarter_of_the_disk_is_refused_with_the_cure(disk: Disk) -> None:
    told = disk.reserves(SIZE_MB // 2)
    assert told["failed"]
    assert "take a bigger disk, or reserve less" in told["msg"]
    assert disk.group() == 0


def test_another_kind_of_file_system_is_left_alone_with_a_warning(disk: Disk) -> None:
    disk.is_mounted("xfs", "rw")
    told = disk.reserves(48)
    assert not told["changed"]
    assert "/ is xfs" in str(told["warnings"])
    assert disk.remounts() == []


def test_the_room_follows_the_queue_s_memory_however_it_is_given() -> None:
    sizes = [value("redis", "redis_queue_disk_mb", redis_queue_maxmemory_mb=size) for size in (128, "128")]
    assert sizes == [512, 512]
