"""``python -m tests.mutants [WORD ...]``: put each bug of the table into a copy of the tree; its tests must fail.

With words: only the mutants whose names hold one of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutants.table import MUTANTS, Mutant

ROOT: Final = Path(__file__).parents[2]
NOT_COPIED: Final = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache")
PASSED, FAILED = 0, 1
"""Exit statuses of pytest; all others say that it did not come to a verdict."""


class TableError(Exception):
    """The table does not fit the tree."""


def mutated(tree: Path, mutant: Mutant) -> str:
    """Return a mutant's file with its bug.

    Raises:
        TableError: its place is not there, or there is more than one.
    """
    source = (tree / mutant.file).read_text()
    if (count := source.count(mutant.text)) != 1:
        raise TableError(f"{mutant.name}: its text stands {count} times in {mutant.file}, not once")
    return source.replace(mutant.text, mutant.replacement)


def verdict(tree: Path, tests: Sequence[str], what: str) -> int:
    """Run tests in a tree until one fails.

    Raises:
        TableError: no test of these names, say.
    """
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": str(tree)}, capture_output=True, text=True
    )
    if run.returncode not in {PASSED, FAILED}:
        raise TableError(f"{what}: pytest ended with {run.returncode}:\n{run.stdout[-3000:]}{run.stderr[-1000:]}")
    if run.returncode == FAILED and what == "without a bug":
        print(run.stdout[-5000:])
    return run.returncode


def copy(directory: str, name: str) -> Path:
    """Copy the tree: a fresh one for each bug, so that no compiled file of another is taken for its own."""
    return Path(shutil.copytree(ROOT, Path(directory) / name, ignore=NOT_COPIED, symlinks=True))


def main(words: Sequence[str]) -> int:
    """Return 1 if a mutant survived."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="imagebot-mutants-") as directory:
        whole = copy(directory, "whole")
        for mutant in chosen:
            mutated(whole, mutant)  # so that an error of the table is told of at once
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        print(f"{len(chosen)} mutants, {len(tests)} tests; first the tests without a bug", flush=True)
        if verdict(whole, tests, "without a bug") != PASSED:
            raise TableError("the tests fail without a bug: they tell nothing of one")
        for number, mutant in enumerate(chosen):
            tree = copy(directory, str(number))
            (tree / mutant.file).write_text(mutated(tree, mutant))
            killed = verdict(tree, mutant.tests, mutant.name) == FAILED
            survivors += not killed
            print("killed  " if killed else "SURVIVED", mutant.name, flush=True)
            shutil.rmtree(tree)
    print(f"{len(chosen) - survivors} killed, {survivors} survived")
    return int(survivors > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TableError as error:
        sys.exit(f"error: {error}")
