"""Which image a VPS starts from."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import base_tree
from tests.lab.errors import LabError
from tests.lab.machine import Machine, Mirror

MACHINE = Machine(Mirror("http://mirror.example/debian/", "http://mirror.example/security/"), (), "")


def key(distribution: str = "trixie", machine: Machine = MACHINE, kernel: str = "6.1.1") -> str:
    return base_tree.image_key(distribution, machine, kernel)


def test_the_same_ingredients_give_the_same_image() -> None:
    assert key() == key()
    assert key().startswith("trixie-")


def test_every_ingredient_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "own.crt"
    authority.write_text("certificate")
    keys = [
        key(),
        key(distribution="bookworm"),
        key(kernel="6.1.2"),
        key(machine=replace(MACHINE, mirror=Mirror("http://other.example/debian/", None))),
        key(machine=replace(MACHINE, pip_configuration="[global]\n")),
        key(machine=replace(MACHINE, authorities=(authority,))),
    ]
    authority.write_text("another certificate")
    keys.append(key(machine=replace(MACHINE, authorities=(authority,))))
    monkeypatch.setattr(base_tree, "PACKAGES", (*base_tree.PACKAGES, "less"))
    keys.append(key())
    monkeypatch.setattr(base_tree, "RECIPE_VERSION", base_tree.RECIPE_VERSION + 1)
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_packages_come_from_the_machines_mirror_with_security_fixes() -> None:
    sources = base_tree.apt_sources("trixie", MACHINE)
    assert "URIs: http://mirror.example/debian/\nSuites: trixie trixie-updates\n" in sources
    assert "URIs: http://mirror.example/security/\nSuites: trixie-security\n" in sources


def test_a_machine_without_security_archive_passes_none_on() -> None:
    sources = base_tree.apt_sources("trixie", replace(MACHINE, mirror=Mirror("http://mirror.example/debian/", None)))
    assert "security" not in sources


def test_images_lie_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert base_tree.cache_directory() == tmp_path / "imagebot-lab"


def test_an_image_that_exists_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(base_tree, "kernel_version", lambda: "6.1.1")
    image = tmp_path / "imagebot-lab" / f"{key()}.img"
    image.parent.mkdir()
    image.touch()
    assert base_tree.base_image("trixie", MACHINE) == image


def test_an_unknown_distribution_is_named() -> None:
    with pytest.raises(LabError, match="no such distribution: sarge; choose one of trixie, bookworm"):
        base_tree.base_image("sarge", MACHINE)
