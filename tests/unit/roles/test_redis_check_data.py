"""Around each start of Redis: nothing is lost without a word, and nothing starts empty that had data.

The append-only files are those of a real Redis, and what passes is given to it again.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.redis_server import RedisServer
from tests.support.roles import render, settings, value
from tests.support.waiting import wait_until

WHOLE = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1])"
"""Written twice in one script: MULTI ... EXEC in the file."""


class Instance:
    """A queue (or cache) whose files lie in a directory of the test's."""

    def __init__(self, root: Path, written: Path, name: str = "queue") -> None:
        self._written, self._name = written, name
        text = render("redis", "check-data.j2")
        for place in ("/var/lib/imagebot-redis", "/var/lib/redis"):
            assert place in text
            (root / place.lstrip("/")).mkdir(parents=True)
            text = text.replace(place, str(root / place.lstrip("/")))
        self.marker = root / "var/lib/imagebot-redis" / name
        self.data = root / "var/lib/redis" / name
        self.files = self.data / "appendonlydir"
        self.manifest = self.files / "appendonly.aof.manifest"
        self.script = root / "check-data"
        self.script.write_text(text)

    def run(self, moment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(self.script), self._name, moment], capture_output=True, text=True, check=False
        )

    def refused(self) -> tuple[str, str]:
        """Return what it says, and the command that cures it."""
        refused = self.run("before")
        assert refused.returncode == 1
        [line] = refused.stderr.splitlines()
        assert line.startswith("redis-server@queue does not start: ")
        return line, line.rsplit(": ", 1)[1]

    def cure(self, command: str) -> None:
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)
        assert self.run("before").returncode == 0

    def has_run(self) -> None:
        shutil.copytree(self._written, self.files, dirs_exist_ok=True)
        assert self.run("after").returncode == 0

    @property
    def base(self) -> Path:
        return next(self.files.glob("*.base.rdb"))

    @property
    def incr(self) -> Path:
        return next(self.files.glob("*.incr.aof"))

    def keys(self) -> dict[Any, Any]:
        """Return what Redis loads; it must start."""
        redis = RedisServer(self.data)
        try:
            return {key: redis.client.get(key) for key in redis.client.keys("*")}
        finally:
            redis.kill()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Append-only files: `old` in the base, then a and b in one transaction, three times."""
    directory = tmp_path_factory.mktemp("written")
    first = RedisServer(directory)
    first.client.set("old", "1")
    first.client.bgrewriteaof()
    wait_until(lambda: not first.client.info("persistence")["aof_rewrite_in_progress"], "the file is rewritten")
    for number in "123":
        first.client.eval(WHOLE, 2, "a", "b", number)
    first.kill()
    return directory / "appendonlydir"


@pytest.fixture
def queue(tmp_path: Path, written: Path) -> Instance:
    return Instance(tmp_path, written)


@pytest.fixture
def cache(tmp_path: Path, written: Path) -> Instance:
    return Instance(tmp_path, written, "cache")


def test_the_first_start_needs_no_data(queue: Instance) -> None:
    assert queue.run("before").returncode == 0


def test_a_start_with_its_data_passes_and_says_nothing(queue: Instance) -> None:
    queue.has_run()
    passed = queue.run("before")
    assert (passed.returncode, passed.stdout, passed.stderr) == (0, "", "")
    assert queue.keys() == {"old": "1", "a": "3", "b": "3"}


@pytest.mark.parametrize("content", [None, ""])
def test_without_the_data_there_were_it_refuses_and_names_the_cure(queue: Instance, content: str | None) -> None:
    queue.has_run()
    if content is None:
        queue.manifest.unlink()
    else:
        queue.manifest.write_text(content)
    line, cure = queue.refused()
    assert str(queue.manifest) in line
    assert cure == f"rm {queue.marker}"
    queue.cure(cure)


def test_wherever_the_file_is_cut_whole_transactions_stay_and_the_loss_is_told(queue: Instance) -> None:
    queue.has_run()
    whole = queue.incr.read_bytes()
    starts = [at for at in range(len(whole)) if whole.startswith(b"*1\r\n$5\r\nMULTI", at)]
    assert len(starts) == 3
    for size in range(starts[2] + 1, len(whole)):
        queue.incr.write_bytes(whole[:size])
        passed = queue.run("before")
        assert passed.returncode == 0, passed.stderr
        [line] = passed.stdout.splitlines()
        assert str(queue.incr) in line
        assert f"last {size - starts[2]} of {size} bytes" in line
        assert queue.incr.read_bytes() == whole[: starts[2]]
        assert queue.run("before").stdout == ""
    assert queue.keys() == {"old": "1", "a": "2", "b": "2"}


@pytest.mark.parametrize("cut", [0, 9])
def test_room_for_a_write_whose_bytes_a_power_cut_has_taken_is_dropped(queue: Instance, cut: int) -> None:
    queue.has_run()
    whole = queue.incr.read_bytes()
    start = whole.rindex(b"*1\r\n$5\r\nMULTI")
    kept = whole[: start + cut]
    queue.incr.write_bytes(kept + bytes(4096))
    passed = queue.run("before")
    assert passed.returncode == 0, passed.stderr
    assert f"its last {4096 + cut} of {len(kept) + 4096} bytes are dropped" in passed.stdout
    assert queue.incr.read_bytes() == whole[:start]
    assert queue.keys() == {"old": "1", "a": "2", "b": "2"}


def overwrite(file: Path, at: int, content: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(content)


def append(file: Path, content: bytes) -> None:
    with file.open("ab") as stream:
        stream.write(content)


def in_the_middle(queue: Instance) -> None:
    overwrite(queue.incr, queue.incr.read_bytes().index(b"EXEC") + 2, b"ZZZZ")


def longer_than_the_file(queue: Instance) -> None:
    """A damaged length takes whatever follows for its argument; up to the end it looks like a cut."""
    content = queue.incr.read_bytes().replace(b"$4\r\nEXEC", b"$9999999\r\nEXEC", 1)
    queue.incr.write_bytes(content + b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n" * 100_000)


@pytest.mark.parametrize(
    "damage",
    [
        lambda queue: append(queue.incr, b"garbage\n" * 10),
        lambda queue: append(queue.incr, bytes(4096) + b"*2\r\n"),
        lambda queue: append(queue.incr, bytes(2 << 20)),
        lambda queue: append(queue.incr, b"*2\r\n$3\r\nGET\r\n$1\r\na!!*2"),
        in_the_middle,
        longer_than_the_file,
    ],
    ids=["garbage", "zeros in between", "too many zeros", "in a command", "in the middle", "a length"],
)
def test_damage_is_refused_untouched_until_somebody_drops_it(
    queue: Instance, damage: Callable[[Instance], None]
) -> None:
    queue.has_run()
    damage(queue)
    before = queue.incr.read_bytes()
    line, cure = queue.refused()
    assert f"{queue.incr} is damaged after " in line
    assert f" of its {len(before)} bytes" in line
    assert queue.incr.read_bytes() == before
    queue.cure(cure)
    assert queue.keys()["old"] == "1"


@pytest.mark.parametrize("damage", [b"garbage\n" * 10, bytes(2 << 20), bytes(4096) + b"*2\r\n"])
def test_the_cache_starts_without_what_follows_damage_and_says_so(cache: Instance, damage: bytes) -> None:
    cache.has_run()
    append(cache.incr, damage)
    passed = cache.run("before")
    assert passed.returncode == 0, passed.stderr
    assert f"its last {len(damage)} of " in passed.stdout
    assert cache.keys() == {"old": "1", "a": "3", "b": "3"}


def a_newer_redis(instance: Instance) -> None:
    overwrite(instance.base, 5, b"0099")


@pytest.mark.parametrize(
    "damage",
    [
        lambda cache: cache.manifest.unlink(),
        lambda cache: cache.manifest.write_bytes(b""),
        lambda cache: cache.manifest.write_bytes(bytes(88)),
        lambda cache: cache.manifest.write_text("garbage\n"),
        lambda cache: cache.base.unlink(),
        lambda cache: cache.incr.unlink(),
        lambda cache: cache.base.write_bytes(cache.base.read_bytes()[:-20]),
        lambda cache: cache.base.write_bytes(b""),
        a_newer_redis,
    ],
    ids=["no manifest", "empty", "zeros", "garbage", "no base", "no incr", "base cut", "base empty", "newer"],
)
def test_the_cache_starts_empty_and_says_so_where_its_files_cannot_be_loaded(
    cache: Instance, damage: Callable[[Instance], None]
) -> None:
    for _ in range(2):
        cache.has_run()
        damage(cache)
        passed = cache.run("before")
        assert passed.returncode == 0, passed.stderr
        told, aside = passed.stdout.splitlines()
        assert told.startswith("redis-server@cache starts empty: ")
        assert aside == f"Its files are set aside in {cache.data}/appendonlydir.damaged."
        assert not cache.files.exists()
    assert cache.run("before").returncode == 0
    assert cache.keys() == {}


def test_a_cache_whose_files_are_gone_starts_empty_and_says_so(cache: Instance) -> None:
    cache.has_run()
    shutil.rmtree(cache.files)
    passed = cache.run("before")
    assert passed.returncode == 0, passed.stderr
    assert passed.stdout == f"redis-server@cache starts empty: it had data, and {cache.manifest} is gone.\n"


def test_a_newer_redis_files_are_refused_and_left_alone(queue: Instance) -> None:
    queue.has_run()
    a_newer_redis(queue)
    before = queue.base.read_bytes()
    line, _ = queue.refused()
    assert "a newer Redis has written its files (RDB version 99). Install that Redis (apt-get " in line
    assert queue.base.read_bytes() == before


@pytest.mark.parametrize("which", ["base", "incr"])
def test_a_missing_file_is_refused_by_name(queue: Instance, which: str) -> None:
    queue.has_run()
    file: Path = getattr(queue, which)
    file.unlink()
    line, cure = queue.refused()
    assert f"{file} is gone. Restore it." in line
    queue.cure(cure)
    assert queue.keys() == ({"a": "3", "b": "3"} if which == "base" else {"old": "1"})


def test_an_empty_base_is_refused_by_name(queue: Instance) -> None:
    queue.has_run()
    queue.base.write_bytes(b"")
    line, cure = queue.refused()
    assert f"{queue.base} is empty. Restore it." in line
    queue.cure(cure)
    assert queue.keys() == {"a": "3", "b": "3"}


@pytest.mark.parametrize("content", [bytes(88), b"garbage\n", b"\xff\xfe\n"], ids=["zeros", "garbage", "no text"])
def test_a_damaged_manifest_is_refused(queue: Instance, content: bytes) -> None:
    queue.has_run()
    queue.manifest.write_bytes(content)
    line, cure = queue.refused()
    assert f"{queue.files} can't be read (AOF {queue.manifest} " in line
    queue.cure(cure)
    assert queue.keys() == {}


def test_a_damaged_base_is_refused_with_redis_words(queue: Instance) -> None:
    queue.has_run()
    queue.base.write_bytes(queue.base.read_bytes()[:-20])
    line, cure = queue.refused()
    assert f"{queue.files} can't be read (" in line
    assert "Unexpected EOF reading RDB file" in line
    queue.cure(cure)


@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_systemd_runs_it_around_each_start(instance: str) -> None:
    unit = settings(render("redis", "unit.conf.j2", item={"name": instance}))
    script = value("redis", "_redis_check_data")
    assert unit["ExecStartPre"] == [f"+{script} {instance} before"]
    assert unit["ExecStartPost"] == [f"+{script} {instance} after"]
