"""Lets pictures go in time, and before their time when their disk is nearly full: one run, for a timer.

It runs where the pictures lie, on a host that may have nothing else of ours: Python's own library is enough, and it
needs neither Redis nor a network. What requests still need is named by a file among the pictures that the bot renews.

A picture's age is that of its last change by the clock of the file system, which is the file server's: an input that
is sent again, or wanted again, is as good as new. Results lie in directories named for days, so that only days that
are due are looked through.
"""

import argparse
import calendar
import contextlib
import heapq
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

NEEDED: Final = "needed-pictures"
"""File in the media directory that names, a key a line, what requests that have not been answered need."""
NEEDED_EVERY: Final = 60
"""Seconds after which the bot writes it anew."""
NEEDED_GOOD: Final = 15 * 60
"""Seconds for which it is believed; without it nothing goes."""
LAST_RUN: Final = ".retention"
"""File in the media directory whose time is that of the last run."""
JUMP_MOST: Final = 7 * 86400
"""Seconds since the last run that are believed: a clock that says more is taken to be wrong."""
YOUNGEST: Final = 3600
"""Seconds for which a result is kept however full the disk is."""

_DAY: Final = 86400
_DATED: Final = (re.compile(r"\d{4}"), re.compile(r"\d{2}"), re.compile(r"\d{2}"))
_SHARD: Final = re.compile(r"[0-9a-f]{2}")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class RefusedError(Exception):
    """Nothing goes, for a reason that an operator must see to."""


class Picture(NamedTuple):
    """A file; ordered by its time (Unix s)."""

    modified: float
    size: int
    parts: tuple[str, ...]


@dataclass
class Tally:
    """Files and bytes."""

    files: int = 0
    bytes: int = 0

    def add(self, picture: Picture) -> None:
        """Count one."""
        self.files += 1
        self.bytes += picture.size

    def __str__(self) -> str:
        return f"{self.files} ({self.bytes} bytes)"


@dataclass(frozen=True)
class Rules:
    """Ages in seconds; ``disk_percent``: of the disk that may be used before results go early."""

    inputs_age: float
    results_age: float
    disk_percent: float


class Tree:
    """The media directory. No symlink in it is followed, and what is not as we make it is left alone."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)

    def close(self) -> None:
        """Let the directory go."""
        os.close(self._root)

    def now(self, *, accept_jump: bool, keep: bool) -> float:
        """Return the time by the file system's clock, and remember that there was a run unless it is not to ``keep``.

        Raises:
            RefusedError: so much time can't have passed since the last run.
        """
        new = f"{LAST_RUN}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=self._root)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o660, dir_fd=self._root)
        try:
            os.write(descriptor, b"touched by imagebot-media-retention\n")
            os.fsync(descriptor)
            now = os.fstat(descriptor).st_mtime
            with contextlib.suppress(FileNotFoundError):
                passed = now - os.stat(LAST_RUN, dir_fd=self._root, follow_symlinks=False).st_mtime
                if passed > JUMP_MOST and not accept_jump:
                    raise RefusedError(
                        f"the clock says {_date(now)}, {passed / _DAY:.0f} days after the last run. "
                        "If that is right, run it once with --accept-clock"
                    )
            if keep:
                os.rename(new, LAST_RUN, src_dir_fd=self._root, dst_dir_fd=self._root)
            return now
        finally:
            os.close(descriptor)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new, dir_fd=self._root)

    def needed(self, now: float) -> frozenset[str] | None:
        """Return the keys that are needed; None if nobody has named them for a while."""
        try:
            descriptor = os.open(NEEDED, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._root)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, encoding="utf-8") as file:
            if abs(now - os.fstat(descriptor).st_mtime) > NEEDED_GOOD:
                return None
            return frozenset(file.read().splitlines())

    def over(self, percent: float) -> tuple[int, float]:
        """Return how many bytes too many are used, and the share (percent), as df counts: reserved blocks are not."""
        disk = os.fstatvfs(self._root)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        usable = used + disk.f_bavail * disk.f_frsize
        return max(0, used - int(usable * percent / 100)), 100 * used / usable if usable else 0.0

    def inputs(self) -> Iterator[Picture]:
        """Walk all inputs: they are named for what they hold, not for a day."""
        for shard in self._directories(("inputs",), _SHARD):
            yield from self._pictures(("inputs", shard))

    def results(self, now: float) -> Iterator[Picture]:
        """Walk the results, the oldest first; days are looked into as they come up."""
        waiting: list[Picture] = []
        for begin, day in sorted(self._days(now)):
            while waiting and waiting[0].modified < begin:
                yield heapq.heappop(waiting)
            for picture in self._pictures(day):
                heapq.heappush(waiting, picture)
        while waiting:
            yield heapq.heappop(waiting)

    def remove(self, picture: Picture) -> bool:
        """Delete a file, unless it is gone or has been renewed meanwhile; return whether it was deleted."""
        *parents, name = picture.parts
        with contextlib.suppress(FileNotFoundError), self._opened(tuple(parents)) as directory:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode) and found.st_mtime == picture.modified:
                os.unlink(name, dir_fd=directory)
                return True
        return False

    def prune(self, now: float) -> None:
        """Remove the directories of past days that are empty."""
        for begin, day in self._days(now):
            if begin < now - 2 * _DAY:
                for length in (len(day), len(day) - 1, len(day) - 2):
                    with contextlib.suppress(OSError), self._opened(day[: length - 1]) as directory:
                        os.rmdir(day[length - 1], dir_fd=directory)

    def _days(self, now: float) -> Iterator[tuple[float, tuple[str, ...]]]:
        """Find the directories of results, each with when its day begins; a day to come may hold anything."""
        for year in self._directories(("results",), _DATED[0]):
            for month in self._directories(("results", year), _DATED[1]):
                for day in self._directories(("results", year, month), _DATED[2]):
                    try:
                        begin = calendar.timegm(time.strptime(f"{year}-{month}-{day}", "%Y-%m-%d"))
                    except ValueError:
                        begin = 0
                    yield (begin if begin < now + 2 * _DAY else 0.0), ("results", year, month, day)

    def _directories(self, parts: tuple[str, ...], named: re.Pattern[str]) -> list[str]:
        with contextlib.suppress(FileNotFoundError), self._opened(parts) as directory, os.scandir(directory) as found:
            return [each.name for each in found if named.fullmatch(each.name) and each.is_dir(follow_symlinks=False)]
        return []

    def _pictures(self, parts: tuple[str, ...]) -> list[Picture]:
        pictures = []
        with contextlib.suppress(FileNotFoundError), self._opened(parts) as directory, os.scandir(directory) as found:
            for each in found:
                with contextlib.suppress(FileNotFoundError):
                    if each.is_file(follow_symlinks=False):
                        about = each.stat(follow_symlinks=False)
                        pictures.append(Picture(about.st_mtime, about.st_size, (*parts, each.name)))
        return pictures

    @contextlib.contextmanager
    def _opened(self, parts: tuple[str, ...]) -> Iterator[int]:
        """Open a directory step by step, so that no symlink on the way is followed."""
        with contextlib.ExitStack() as stack:
            directory = self._root
            for part in parts:
                directory = os.open(part, _DIRECTORY, dir_fd=directory)
                stack.callback(os.close, directory)
            yield directory


@dataclass
class Run:
    """What one run lets go; with ``dry`` it only counts."""

    tree: Tree
    rules: Rules
    now: float
    needed: frozenset[str]
    dry: bool = False
    inputs: Tally = field(default_factory=Tally)
    results: Tally = field(default_factory=Tally)
    early: Tally = field(default_factory=Tally)
    kept: int = 0
    failed: int = 0

    def __call__(self) -> None:
        """Delete what is due."""
        for picture in self.tree.inputs():
            if picture.modified <= self.now - self.rules.inputs_age:
                self._let_go(picture, self.inputs)
        too_many, _ = self.tree.over(self.rules.disk_percent)
        if self.dry:
            too_many -= self.inputs.bytes
        for picture in self.tree.results(self.now):
            due = picture.modified <= self.now - self.rules.results_age
            if not due and (too_many <= 0 or picture.modified > self.now - YOUNGEST):
                break
            if self._let_go(picture, self.results if due else self.early):
                too_many -= picture.size
        if not self.dry:
            self.tree.prune(self.now)

    def _let_go(self, picture: Picture, tally: Tally) -> bool:
        if "/".join(picture.parts) in self.needed:
            self.kept += 1
            return False
        try:
            if not self.dry and not self.tree.remove(picture):
                return False
        except OSError as error:
            self.failed += 1
            if self.failed == 1:
                sys.stderr.write(f"{'/'.join(picture.parts)}: {error.strerror}\n")
            return False
        tally.add(picture)
        return True

    def __str__(self) -> str:
        verb = "would let go" if self.dry else "let go"
        text = f"{verb} inputs: {self.inputs}, results: {self.results}, results before their time: {self.early}; "
        failed = f", failed: {self.failed}" if self.failed else ""
        return f"{text}still needed: {self.kept}{failed}; disk: {self.tree.over(100)[1]:.0f} % used"


def _date(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(when))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="imagebot-media-retention", description="Lets pictures go in time.")
    parser.add_argument("--directory", type=Path, required=True, help="where the pictures lie")
    parser.add_argument("--inputs-days", type=float, required=True, help="days that what people sent is kept")
    parser.add_argument("--results-days", type=float, required=True, help="days that results are kept")
    parser.add_argument(
        "--disk-percent", type=float, required=True, help="use of the disk above which results go early"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    parser.add_argument("--accept-clock", action="store_true", help="believe the clock, however far it has come")
    return parser.parse_args()


def main() -> int:
    """Do one run; say in a line what it did, or why it did nothing. Return the exit status: 1 is to be seen to."""
    given = _arguments()
    rules = Rules(given.inputs_days * _DAY, given.results_days * _DAY, given.disk_percent)
    try:
        with contextlib.closing(Tree(given.directory)) as tree:
            now = tree.now(accept_jump=given.accept_clock, keep=not given.dry_run)
            needed = tree.needed(now)
            if needed is None:
                minutes = NEEDED_GOOD // 60
                sys.stdout.write(f"let nothing go: for {minutes} minutes no bot has said which pictures are needed\n")
                return 0
            run = Run(tree, rules, now, needed, dry=given.dry_run)
            run()
            sys.stdout.write(f"{run}\n")
            return 1 if run.failed else 0
    except (OSError, RefusedError) as error:
        sys.stderr.write(f"let nothing go: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
