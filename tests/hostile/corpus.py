"""Pillow's own test images, from its source package as pip finds it."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import PIL

_WHERE: Final = Path(__file__).parents[2] / "build" / "hostile" / "source"
_IMAGES: Final = "Tests/images/"


class NoCorpusError(Exception):
    """The source package is not to be had; the message says why."""


def _package() -> Path:
    name = f"pillow-{PIL.__version__}.tar.gz"
    if (found := _WHERE / name).exists():
        return found
    _WHERE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(_WHERE), f"pillow=={PIL.__version__}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode or not found.exists():
        said = (run.stderr.strip() or "pip brought no source package").splitlines()[-1]
        raise NoCorpusError(f"Pillow's test images are left out, for pip can't fetch its source package: {said}")
    return found


def pillows_images() -> Iterator[tuple[str, bytes]]:
    """Give each file of Pillow's test images.

    Raises:
        NoCorpusError: they are not to be had.
    """
    with tarfile.open(_package()) as package:
        for member in package:
            if member.isfile() and _IMAGES in member.name and (file := package.extractfile(member)):
                yield member.name.partition(_IMAGES)[2], file.read()
