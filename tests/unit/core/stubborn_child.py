"""A child that does what it is told: ``python -m tests.unit.core.stubborn_child LIMIT``."""

import os
import signal
import sys
import time

from app.core.child_process import HEADER_MAX, Answer, serve


def _answer(data: bytes) -> Answer:
    match data.decode():
        case "sleep":
            time.sleep(3600)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "eat":
            return {}, b"x" * (1 << 40)
        case "chatter":
            print("a library says something")
            sys.stdout.flush()
        case "long header":
            return {"long": "x" * HEADER_MAX}, b""
        case "long answer":
            return {}, b"x" * 2000
        case "environment":
            return {"names": sorted(os.environ)}, b""
        case _:
            pass
    return {"pid": os.getpid()}, data[::-1]


if __name__ == "__main__":
    serve(_answer)
