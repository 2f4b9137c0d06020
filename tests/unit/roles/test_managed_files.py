"""The module that writes several files and directories in one trip."""

import grp
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.modules import call, load

ME = {"owner": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


class Writer:
    """Calls the module as the account that runs the tests."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._module = load("playbooks/library/managed_files.py")

    def __call__(self, *files: dict[str, Any], check: bool = False) -> dict[str, Any]:
        wanted = [ME | file | {"path": str(file["path"])} for file in files]
        return call(self._module, self._capsys, check, files=wanted)


@pytest.fixture
def write(capsys: pytest.CaptureFixture[str]) -> Writer:
    return Writer(capsys)


def test_directories_and_files_appear_in_order(write: Writer, tmp_path: Path) -> None:
    wanted = {"path": tmp_path / "etc"}, {"path": tmp_path / "etc/conf", "content": "answer = 42\n", "mode": "0600"}
    assert write(*wanted)["changed_paths"] == [str(tmp_path / "etc"), str(tmp_path / "etc/conf")]
    assert (tmp_path / "etc/conf").read_text() == "answer = 42\n"
    assert (tmp_path / "etc/conf").stat().st_mode & 0o7777 == 0o600
    assert (tmp_path / "etc").stat().st_mode & 0o7777 == 0o755
    assert not write(*wanted)["changed"]


def test_only_what_differs_is_written(write: Writer, tmp_path: Path) -> None:
    one, two = {"path": tmp_path / "one", "content": "1"}, {"path": tmp_path / "two", "content": "2"}
    write(one, two)
    (tmp_path / "two").write_text("changed by hand")
    assert write(one, two)["changed_paths"] == [str(tmp_path / "two")]
    (tmp_path / "one").chmod(0o666)
    assert write(one, two)["changed_paths"] == [str(tmp_path / "one")]
    assert (tmp_path / "one").stat().st_mode & 0o7777 == 0o644


def test_check_mode_shows_the_difference_and_writes_nothing(write: Writer, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("old")
    told = write(
        {"path": tmp_path / "conf", "content": "new"}, {"path": tmp_path / "none/conf", "content": "x"}, check=True
    )
    assert told["changed"]
    assert (told["diff"][0]["before"], told["diff"][0]["after"]) == ("old", "new")
    assert (tmp_path / "conf").read_text() == "old"


def test_an_account_that_check_mode_has_not_created_is_no_failure(write: Writer, tmp_path: Path) -> None:
    wanted = {"path": tmp_path, "owner": "nobody-has-this-name"}
    assert write(wanted, check=True)["changed"]
    assert write(wanted)["failed"]


def test_what_its_checker_refuses_is_not_written(write: Writer, tmp_path: Path) -> None:
    told = write({"path": tmp_path / "conf", "content": "wrong", "validate": "grep -q right %s"})
    assert told["failed"]
    assert f"{tmp_path / 'conf'} would be wrong" in told["msg"]
    assert list(tmp_path.iterdir()) == []
    assert write({"path": tmp_path / "conf", "content": "right", "validate": "grep -q right %s"})["changed"]
