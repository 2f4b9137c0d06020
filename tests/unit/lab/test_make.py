"""What `make` hands on to the lab."""

import os
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]


def test_the_command_for_a_vps_is_read_by_the_vps_s_shell_and_not_by_ours() -> None:
    command = 'redis-cli KEYS "rq:job:*" | wc -l && systemctl is-active imageworker@3; echo $HOME'
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--silent", "--old-file=.venv/ready", "lab-ssh", "PYTHON=echo", f"CMD={command}"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"-m tests.lab ssh vps1 -- {command}\n"
