"""What runs before and after each start of Redis: nothing starts empty that had data."""

import subprocess
from pathlib import Path

import pytest

from tests.support.roles import render, settings, value


class Instance:
    """A queue whose files lie in a directory of the test's."""

    def __init__(self, root: Path) -> None:
        text = render("redis", "check-data.j2")
        for place in ("/var/lib/imagebot-redis", "/var/lib/redis"):
            assert place in text
            (root / place.lstrip("/")).mkdir(parents=True)
            text = text.replace(place, str(root / place.lstrip("/")))
        self.marker = root / "var/lib/imagebot-redis/queue"
        self.manifest = root / "var/lib/redis/queue/appendonlydir/appendonly.aof.manifest"
        self.script = root / "check-data"
        self.script.write_text(text)

    def run(self, moment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", str(self.script), "queue", moment], capture_output=True, text=True, check=False
        )

    def has_run(self) -> None:
        self.manifest.parent.mkdir(parents=True, exist_ok=True)
        self.manifest.write_text("file appendonly.aof.1.base.rdb seq 1 type b\n")
        assert self.run("after").returncode == 0


@pytest.fixture
def queue(tmp_path: Path) -> Instance:
    return Instance(tmp_path)


def test_the_first_start_needs_no_data(queue: Instance) -> None:
    assert queue.run("before").returncode == 0


def test_a_start_with_its_data_passes(queue: Instance) -> None:
    queue.has_run()
    assert queue.run("before").returncode == 0


@pytest.mark.parametrize("content", [None, ""])
def test_without_the_data_there_were_it_refuses_and_names_the_cure(queue: Instance, content: str | None) -> None:
    queue.has_run()
    if content is None:
        queue.manifest.unlink()
    else:
        queue.manifest.write_text(content)
    refused = queue.run("before")
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert str(queue.manifest) in line
    assert line.endswith(f"rm {queue.marker}")
    queue.marker.unlink()
    assert queue.run("before").returncode == 0


@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_systemd_runs_it_around_each_start(instance: str) -> None:
    unit = settings(render("redis", "unit.conf.j2", item={"name": instance}))
    script = value("redis", "_redis_check_data")
    assert unit["ExecStartPre"] == [f"+{script} {instance} before"]
    assert unit["ExecStartPost"] == [f"+{script} {instance} after"]
