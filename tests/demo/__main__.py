"""``python -m tests.demo``: what ``make demo`` runs."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab import host_check
from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab
from tests.lab.outside import Outside
from tests.stack.stack import Stack, StackError
from tests.support.redis_server import NoRedisError

BUILD = CHECKOUT / "build" / "demo"
WORKERS = "10"
VPS = "vps1"


class DemoError(Exception):
    """A part of the demo failed; the message names the log to read."""


class Story:
    """What ran, and how long each part took (seconds)."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float]] = []

    @contextmanager
    def part(self, title: str) -> Iterator[None]:
        """Announce a part and take its time."""
        print(f"... {title}", flush=True)
        began = time.monotonic()
        yield
        self.add(title, time.monotonic() - began)

    def add(self, title: str, seconds: float) -> None:
        """Tell of a part whose time is known."""
        self.parts.append((title, seconds))

    def tell(self) -> None:
        """Print the parts and their times."""
        width = max(len(title) for title, _ in self.parts)
        for title, seconds in self.parts:
            print(f"  {title:<{width}}  {seconds:6.1f} s")


def run_logged(command: Sequence[str], log: Path, environment: dict[str, str]) -> None:
    """Run a command, its output in a log.

    Raises:
        DemoError: it failed; the end of its output is in the message.
    """
    with log.open("w") as output:
        code = subprocess.run(
            command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ).returncode
    if code != 0:
        end = "\n".join(log.read_text().splitlines()[-25:])
        raise DemoError(f"{Path(command[0]).name} failed with status {code}:\n{end}\n(all of it: {shown(log)})")


def converse(telegram_url: str, prefix: Sequence[str], story: Story) -> dict[str, Any]:
    """Let a person talk to the bot; return what conversation.py tells.

    Raises:
        DemoError: no picture came back.
    """
    command = [
        *prefix, sys.executable, "-m", "tests.demo.conversation",
        "--telegram", telegram_url, "--picture", str(BUILD / "picture.png"),
    ]  # fmt: skip
    print("... a person writes to the bot", flush=True)
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True)
    if result.returncode != 0:
        raise DemoError(result.stderr.strip())
    told: dict[str, Any] = json.loads(result.stdout)
    story.add("/start -> greeting", told["greeting_s"])
    story.add("prompt -> picture", told["picture_s"])
    return told


def on_vps(story: Story, distribution: str) -> None:
    """Provision a lab VPS and get a picture from it."""
    lab = Lab("demo")
    with story.part(f"a bare Debian VPS ({distribution}) boots"):
        lab.create(VPS, distribution=distribution)
    outside = Outside(lab)
    with story.part("Telegram and fal.ai (simulated) start beside it"):
        outside.up("--median", "12", "--p95", "20")
    with story.part(f"site.yml -e workers={WORKERS} provisions it"):
        playbook = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i", "inventory/lab", "site.yml", "-e", f"workers={WORKERS}",
        ]  # fmt: skip
        run_logged(lab.command(*playbook), BUILD / "provision.log", lab.environment())
    told = converse(outside.telegram_url, lab.command(), story)
    workers = lab.ssh(VPS, "systemctl", "list-units", "--plain", "--no-legend", "'imageworker@*'").stdout
    finish(
        story,
        told,
        f"{VPS} ({distribution}) runs redis-server@queue, redis-server@cache, imagebot@1 and "
        f"{len(workers.splitlines())} imageworkers",
        [
            "make lab-ssh                                              log in",
            "make lab-ssh CMD='systemctl restart imageworker@3'        nobody notices",
            "make lab-ssh CMD='redis-cli LLEN rq:queue:img_queue'      jobs that wait",
            "make lab-ssh CMD='journalctl -u imageworker@1 -n 20'      what a worker says",
            "make lab-down                                             remove every trace",
        ],
    )


def on_local_stack(story: Story) -> None:
    """Get a picture from the stack of ``make up``."""
    stack = Stack(CHECKOUT / "build" / "stack")
    with story.part("two Redis, the bot, three workers, Telegram and fal.ai (simulated) start under supervisord"):
        stack.up()
    told = converse(stack.telegram_url, [], story)
    finish(
        story,
        told,
        "the stack runs on this machine, without a VPS and without systemd",
        [
            f"{stack.redis_cli('queue')} LLEN rq:queue:img_queue",
            ".venv/bin/supervisorctl -c build/stack/supervisord.conf restart imageworker:imageworker@3",
            "make down",
        ],
    )


def finish(story: Story, told: dict[str, Any], where: str, next_steps: Sequence[str]) -> None:
    """Print the story."""
    print(f"\n  person: /start\n  bot:    {told['greeting']}\n  person: {told['prompt']}")
    print(f"  bot:    [{told['format']}, {told['size']}, {told['bytes']} bytes] -> {shown(BUILD / 'picture.png')}\n")
    print(f"What ran: {where}.\n")
    story.tell()
    print("\nTry next:")
    for step in next_steps:
        print(f"  {step}")


def shown(path: Path) -> str:
    """Return a path as the reader would type it."""
    return str(path.relative_to(CHECKOUT))


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description="A person gets a picture from a freshly provisioned VPS")
    parser.add_argument("--target", choices=("vps", "local"), default="vps")
    parser.add_argument("--distribution", choices=("trixie", "bookworm"), default="trixie")
    given = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    story = Story()
    if began := os.environ.get("DEMO_BEGAN"):
        story.add("this machine gets ready (packages, Python environment)", max(0.0, time.time() - float(began)))
    try:
        if given.target == "vps" and (lacking := host_check.missing()):
            print(f"No VPS can be hosted here: it lacks {'; '.join(lacking)}. The local stack tells the same story:")
            given.target = "local"
        if given.target == "vps":
            on_vps(story, given.distribution)
        else:
            on_local_stack(story)
    except (DemoError, LabError, StackError, NoRedisError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
