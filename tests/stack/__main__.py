"""``python -m tests.stack up|down|status``: what ``make up`` and ``make down`` run."""

import argparse
import sys

from tests.stack.stack import ROOT, Stack, StackError
from tests.support.redis_server import NoRedisError


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(description="The stack without systemd, for development")
    parser.add_argument("command", choices=("up", "down", "status"))
    command = parser.parse_args().command
    stack = Stack(ROOT / "build" / "stack")
    try:
        if command == "down":
            stack.down()
            print("the stack is down")
            return 0
        if command == "up":
            stack.up()
        elif not stack.is_up():
            print("the stack is not up: make up")
            return 1
        for name, state in sorted(stack.status().items()):
            print(f"{state:<10} {name}")
        print(
            f"\nTelegram (simulated)  {stack.telegram_url}\nfal.ai (simulated)    {stack.fal_url}\n"
            f"queue                 {stack.redis_cli('queue')} LLEN rq:queue:img_queue\n"
            f"cache                 {stack.redis_cli('cache')} INFO stats\n"
            "logs                  build/stack/logs/"
        )
    except (StackError, NoRedisError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
