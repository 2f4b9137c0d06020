"""Pictures go in time: real files, and the program as the timer starts it, without any library but Python's own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.core import media_retention
from app.core.media_retention import JUMP_MOST, LAST_RUN, NEEDED, NEEDED_GOOD

DAY = 86400.0
FULL, EMPTY = 0.0, 100.0
"""Use of the disk (percent) above which results go early: always, and never."""


class Media:
    """A media directory whose bot is at work."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.needs()

    def picture(self, key: str, days: float = 0.0, size: int = 10) -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        self.aged(path, days)
        return path

    def result(self, name: str, days: float) -> Path:
        """A result in the directory of its day."""
        return self.picture(
            f"results/{time.strftime('%Y/%m/%d', time.gmtime(time.time() - days * DAY))}/{name}", days
        )

    def input(self, name: str, days: float) -> Path:
        return self.picture(f"inputs/{name[:2]}/{name}", days)

    def aged(self, path: Path, days: float) -> None:
        then = time.time() - days * DAY
        os.utime(path, (then, then), follow_symlinks=False)

    def needs(self, *paths: Path) -> None:
        text = "".join(f"{path.relative_to(self.root)}\n" for path in paths)
        (self.root / NEEDED).write_text(text)

    def start(self, *options: str, full_at: float = EMPTY) -> "subprocess.CompletedProcess[str]":
        rules = ["--inputs-days=1", "--results-days=30", f"--disk-percent={full_at}"]
        program = [sys.executable, "-I", "-S", media_retention.__file__, f"--directory={self.root}", *rules]
        return subprocess.run([*program, *options], text=True, capture_output=True, check=False)

    def run(self, *options: str, full_at: float = EMPTY) -> str:
        ended = self.start(*options, full_at=full_at)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("\n") == 1
        return ended.stdout


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return Media(tmp_path)


def test_inputs_go_after_a_day_and_results_after_thirty(media: Media) -> None:
    gone = [media.input("aa1.jpg", 1.1), media.result("u1-0.png", 30.1), media.result("u2-0.png", 400)]
    kept = [media.input("aa2.jpg", 0.9), media.result("u3-0.png", 29.9), media.result("u4-0.png", 0)]
    said = media.run()
    assert "inputs: 1 (10 bytes), results: 2 (20 bytes), results before their time: 0 (0 bytes)" in said
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_a_dry_run_says_the_same_and_deletes_nothing(media: Media) -> None:
    pictures = [media.input("aa1.jpg", 2), media.result("u1-0.png", 31), media.result("u2-0.png", 5)]
    said = media.run("--dry-run", full_at=FULL)
    assert all(path.exists() for path in pictures)
    assert media.run(full_at=FULL).partition(";")[0] == said.partition(";")[0].replace("would let go", "let go")
    assert not any(path.exists() for path in pictures)


def test_what_is_needed_stays_however_old_and_full(media: Media) -> None:
    needed = [media.input("aa1.jpg", 90), media.result("u1-0.png", 90), media.result("u2-0.png", 2)]
    media.needs(*needed)
    assert "still needed: 3" in media.run(full_at=FULL)
    assert all(path.exists() for path in needed)


def test_what_was_wanted_again_counts_from_then(media: Media) -> None:
    renewed = media.result("u1-0.png", 40)
    media.aged(renewed, 3)
    media.run()
    assert renewed.exists()


def test_a_full_disk_takes_the_oldest_results_and_no_more_than_it_must(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = [29, 20, 20, 3, 1, 0.5]
    results = [media.result(f"u{number}-0.png", days) for number, days in enumerate(ages)]
    media.aged(results[0], 2)  # it was wanted again
    too_many = iter([25, 0])
    monkeypatch.setattr(media_retention.Tree, "over", lambda self, percent: (next(too_many), 81.0))
    tree = media_retention.Tree(media.root)
    run = media_retention.Run(tree, media_retention.Rules(DAY, 30 * DAY, 80), time.time(), frozenset())
    run()
    tree.close()
    assert [path.exists() for path in results] == [True, False, False, False, True, True]
    assert (run.early.files, run.early.bytes) == (3, 30)


def test_a_disk_that_something_else_fills_does_not_cost_what_was_just_made(media: Media) -> None:
    fresh, young_input = media.result("u1-0.png", 0.01), media.input("aa1.jpg", 0.5)
    media.run(full_at=FULL)
    assert fresh.exists()
    assert young_input.exists()


def test_use_of_the_disk_is_counted_as_df_does(media: Media) -> None:
    columns = subprocess.run(
        ["df", "--block-size=1", "--output=used,avail", str(media.root)], text=True, capture_output=True, check=True
    ).stdout.splitlines()[1]
    used, available = (int(column) for column in columns.split())
    tree = media_retention.Tree(media.root)
    too_many, percent = tree.over(0)
    tree.close()
    assert too_many == pytest.approx(used, rel=0.05)
    assert percent == pytest.approx(100 * used / (used + available), abs=1)


@pytest.mark.parametrize("age", [None, NEEDED_GOOD + 60, -NEEDED_GOOD - 60])
def test_nothing_goes_while_nobody_says_what_is_needed(media: Media, age: float | None) -> None:
    old = media.result("u1-0.png", 90)
    if age is None:
        (media.root / NEEDED).unlink()
    else:
        media.aged(media.root / NEEDED, age / DAY)
    assert "no bot has said" in media.run(full_at=FULL)
    assert old.exists()


def test_a_clock_that_jumped_ahead_deletes_nothing_until_somebody_says_that_it_is_right(media: Media) -> None:
    old = media.result("u1-0.png", 31)
    media.run("--dry-run")
    assert not (media.root / LAST_RUN).exists()
    (media.root / LAST_RUN).touch()
    media.aged(media.root / LAST_RUN, JUMP_MOST / DAY + 1)
    for _ in range(2):
        refused = media.start(full_at=FULL)
        assert refused.returncode == 1
        assert "8 days after the last run" in refused.stderr
        assert old.exists()
    media.run("--accept-clock")
    assert not old.exists()
    media.run()


def test_a_clock_that_went_back_deletes_nothing_that_is_new(media: Media) -> None:
    (media.root / LAST_RUN).touch()
    media.aged(media.root / LAST_RUN, -400)
    ahead = media.result("u1-0.png", -400)
    media.run(full_at=FULL)
    assert ahead.exists()


def test_a_day_to_come_hides_no_old_result(media: Media) -> None:
    hidden = media.picture("results/2099/01/01/u1-0.png", 31)
    odd = media.picture("results/2026/02/31/u1-0.png", 31)
    media.run()
    assert not hidden.exists()
    assert not odd.exists()


def test_no_symlink_is_followed_nor_deleted(media: Media, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    strange = Media(outside).picture("results/2020/01/01/u1-0.png", 99)
    media.result("u1-0.png", 31)
    day = media.root / "results/2020/01"
    day.mkdir(parents=True)
    (day / "01").symlink_to(outside / "results/2020/01/01")
    (day.parent / "02").symlink_to(outside / "results/2020/01")
    (media.root / "inputs/aa").mkdir(parents=True)
    link = media.root / "inputs/aa/aa1.jpg"
    link.symlink_to(strange)
    media.aged(link, 99)
    media.run(full_at=FULL)
    assert strange.exists()
    assert link.is_symlink()


def test_a_symlink_in_place_of_the_results_is_refused(media: Media, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = Media(tmp_path_factory.mktemp("outside"))
    strange = outside.result("u1-0.png", 99)
    (media.root / "results").symlink_to(outside.root / "results")
    refused = media.start(full_at=FULL)
    assert refused.returncode == 1
    assert strange.exists()


def test_what_is_not_as_we_make_it_is_left_alone(media: Media) -> None:
    others = [
        media.picture(key, 99)
        for key in ("notes.txt", "results/readme", "results/old/u1.png", "inputs/zz/a.jpg", "results/2020/1/1/a.png")
    ]
    media.run(full_at=FULL)
    assert all(path.exists() for path in others)


def test_empty_directories_of_past_days_go_and_todays_stays(media: Media) -> None:
    old, today = media.picture("results/2020/01/01/u1-0.png", 99), media.result("u2-0.png", 0)
    today.unlink()
    media.run()
    assert not (media.root / "results/2020").exists()
    assert old.parent != today.parent
    assert today.parent.exists()


def test_a_run_that_was_killed_is_gone_on_with_by_the_next(media: Media) -> None:
    for number in range(20):
        media.result(f"u{number}-0.png", 31)
    (media.root / f"{LAST_RUN}.new").touch()  # what it left behind
    next((media.root / "results").rglob("u7-0.png")).unlink()
    assert "results: 19 (190 bytes)" in media.run()
    assert "results: 0 (0 bytes)" in media.run()


def test_what_can_t_be_deleted_is_told_and_does_not_keep_the_rest(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("u1-0.png", "u2-0.png", "u3-0.png"):
        media.result(name, 31)
    unlink = os.unlink

    def refuse(path: str, *, dir_fd: int | None = None) -> None:
        if path == "u2-0.png":
            raise PermissionError(1, "Operation not permitted")
        unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", refuse)
    tree = media_retention.Tree(media.root)
    run = media_retention.Run(tree, media_retention.Rules(DAY, 30 * DAY, 100), time.time(), frozenset())
    run()
    assert "failed: 1" in str(run)
    tree.close()
    assert [path.name for path in (media.root / "results").rglob("*.png")] == ["u2-0.png"]


def test_a_directory_that_is_not_there_is_no_empty_one(media: Media) -> None:
    media.root = media.root / "gone"
    ended = media.start()
    assert ended.returncode == 1
    assert "No such file" in ended.stderr
