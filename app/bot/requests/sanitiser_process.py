"""The child that sanitises pictures: ``python -m app.bot.requests.sanitiser_process LIMIT``."""

import time

from app.bot.refusals import RefusedError
from app.bot.requests.sanitised_image import sanitise
from app.core.child_process import Answer, serve


def _answer(data: bytes) -> Answer:
    began = time.process_time()
    try:
        picture = sanitise(data)
    except RefusedError as refusal:
        header = {"refused": refusal.key, "variables": refusal.variables}
        return header | {"seconds": time.process_time() - began}, b""
    return {"suffix": picture.suffix, "seconds": time.process_time() - began}, picture.data


if __name__ == "__main__":
    serve(_answer)
