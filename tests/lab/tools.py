"""Run the machine's own programs."""

import subprocess

from tests.lab.errors import LabError


def run(*command: str, text: str = "") -> str:
    """Run a program of the machine with `text` as its input; return what it prints.

    Raises:
        LabError: it failed; tells the command and the end of what it had to say.
    """
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise LabError(f"`{' '.join(command)}` failed: {said}")
    return done.stdout
