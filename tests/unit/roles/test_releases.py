"""Releases: named by content, whole or not there, and never a gap without a current one."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.modules import call, load

# Python, except that making a venv and filling it takes no time.
PYTHON = """\
#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
"-m pip") if grep -q no-such-package; then echo "no such package" >&2; exit 1; fi ;;
*) exec {python} "$@" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout/app/core").mkdir(parents=True)
    (tmp_path / "checkout/app/__init__.py").write_text("")
    (tmp_path / "checkout/app/core/settings.py").write_text("ANSWER = 42\n")
    (tmp_path / "checkout/requirements.txt").write_text("")
    return tmp_path / "checkout"


class Installation:
    """/opt/imagebot of a host, filled from a checkout as the app role does it."""

    def __init__(self, checkout: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.checkout = checkout
        self.root = root
        self._capsys = capsys
        self._archive = load("roles/app/library/release_archive.py")
        self._install = load("roles/app/library/release_install.py")
        (root / "archives").mkdir(parents=True)
        self._python = root / "python"
        self._python.write_text(PYTHON.format(python=sys.executable))
        self._python.chmod(0o755)
        (root / "releases").mkdir()
        (root / "venvs").mkdir()

    def pack(self) -> dict[str, Any]:
        return call(self._archive, self._capsys, source=self.checkout, directory=self.root / "archives")

    def install(self, check: bool = False, keep: int = 3) -> dict[str, Any]:
        packed = self.pack()
        names = {name: packed[name] for name in ("release", "requirements")}
        return call(self._install, self._capsys, check, root=self.root, python=self._python, keep=keep, **names)

    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "releases").iterdir()}

    @property
    def current(self) -> str:
        return (self.root / "current").resolve().name


@pytest.fixture
def installation(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Installation:
    return Installation(checkout, tmp_path / "opt", capsys)


def test_the_same_content_is_the_same_release(installation: Installation) -> None:
    first = installation.pack()
    (installation.checkout / "app/core/__pycache__").mkdir()
    (installation.checkout / "app/core/__pycache__/settings.cpython-311.pyc").write_text("compiled")
    os.utime(installation.checkout / "app/core/settings.py", (1, 1))
    (installation.checkout / "app/core/settings.py").chmod(0o600)
    assert installation.pack() == first


def test_another_content_is_another_release(installation: Installation) -> None:
    first = installation.pack()
    (installation.checkout / "app/core/settings.py").write_text("ANSWER = 43\n")
    assert installation.pack()["release"] != first["release"]
    assert installation.pack()["requirements"] == first["requirements"]


def test_a_directory_that_is_no_checkout_is_refused(installation: Installation) -> None:
    (installation.checkout / "requirements.txt").unlink()
    assert "is no checkout of imagebot" in installation.pack()["msg"]


def test_a_release_is_installed_once(installation: Installation) -> None:
    told = installation.install()
    assert told["changed"]
    assert told["ansible_facts"]["imagebot_release"] == installation.current
    current = installation.root / "current"
    assert (current / "app/core/settings.py").read_text() == "ANSWER = 42\n"
    assert list((current / "app/core/__pycache__").iterdir())
    assert (current / "venv/bin/python").exists()
    assert not installation.install()["changed"]


def test_check_mode_tells_and_does_nothing(installation: Installation) -> None:
    told = installation.install(check=True)
    assert told["changed"]
    assert told["ansible_facts"]["imagebot_release"]
    assert installation.releases() == set()


def test_a_failed_installation_leaves_the_current_release_and_is_tried_again(installation: Installation) -> None:
    installation.install()
    before = installation.current
    lock = installation.checkout / "requirements.txt"
    lock.write_text("no-hash-and-no-such-package==1\n")
    for _ in range(2):
        told = installation.install()
        assert told["failed"]
        assert "pip install" in told["msg"]
        assert installation.current == before
    lock.write_text("# another lock\n")
    assert installation.install()["changed"]
    assert installation.current != before


def test_the_oldest_are_forgotten_with_what_only_they_used(installation: Installation) -> None:
    for number in range(3):
        (installation.checkout / "app/core/settings.py").write_text(f"ANSWER = {number}\n")
        installation.install(keep=2)
        os.utime(installation.root / "releases" / installation.current, (number, number))
    assert len(installation.releases()) == 2
    assert installation.current in installation.releases()
    archives = {path.stem for path in (installation.root / "archives").iterdir()}
    assert archives == installation.releases()
    assert len(list((installation.root / "venvs").iterdir())) == 1
