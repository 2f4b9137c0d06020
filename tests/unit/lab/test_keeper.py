"""What becomes of a user-mode kernel that ends."""

import subprocess
from pathlib import Path

import pytest

from tests.lab.vps import KEEPER, KEEPER_SCRIPT

TRIES, VERSION, RESTART, DOWN = (
    "Checking ptrace",
    "Linux version 6.1",
    "reboot: Restarting system",
    "reboot: Power down",
)


@pytest.mark.parametrize(
    ("lives", "begun"),
    [
        ([[TRIES, VERSION, DOWN]], 1),
        ([[TRIES, VERSION, RESTART], [TRIES, VERSION, RESTART], [TRIES, VERSION, DOWN]], 3),
        ([[TRIES], [TRIES, VERSION, RESTART], [TRIES, VERSION, DOWN]], 3),
        ([[TRIES, VERSION, "a crash"], [TRIES, VERSION, DOWN]], 1),
        ([[TRIES], [TRIES], [TRIES], [TRIES, VERSION, DOWN]], 3),
    ],
    ids=["power off", "reboots", "ends in its own tests", "crash", "never gets further"],
)
def test_a_kernel_is_started_anew_if_it_reboots_or_never_began(
    tmp_path: Path, lives: list[list[str]], begun: int
) -> None:
    console, count = tmp_path / "console", tmp_path / "count"
    for number, lines in enumerate(lives):
        (tmp_path / f"life{number}").write_text("\n".join(lines) + "\n")
    kernel = f"n=$(cat {count} 2>/dev/null || echo 0); echo $((n + 1)) > {count}; cat {tmp_path}/life$n; exit 1"
    subprocess.run(
        [KEEPER, "-c", KEEPER_SCRIPT, "keeper", str(console), KEEPER, "-c", kernel], check=False, timeout=20
    )
    assert int(count.read_text()) == begun
