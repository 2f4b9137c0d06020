"""Writing the credentials of local programs."""

import threading
from pathlib import Path

from tests.support.shipped import write_secret


def test_who_reads_a_secret_while_it_is_written_finds_one_that_is_whole(tmp_path: Path) -> None:
    secret, over = tmp_path / "fal_key", threading.Event()
    contents = ("a" * 40, "b" * 50)
    write_secret(secret, contents[0])
    seen: set[str] = set()

    def read() -> None:
        while not over.is_set():
            try:
                seen.add(secret.read_text())
            except FileNotFoundError:
                seen.add("none")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        write_secret(secret, contents[number % 2])
    over.set()
    reader.join()
    assert seen <= set(contents)


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    write_secret(tmp_path / "fal_key", "secret")
    assert (tmp_path / "fal_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["fal_key"]
