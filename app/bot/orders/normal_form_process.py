"""The child that brings pictures into normal form: ``python -m app.bot.orders.normal_form_process LIMIT``."""

from app.bot.orders.normal_form import normalise
from app.bot.refusals import RefusedError
from app.core.child_process import Answer, serve


def _answer(data: bytes) -> Answer:
    try:
        picture = normalise(data)
    except RefusedError as refusal:
        return {"refused": refusal.key, "variables": refusal.variables}, b""
    return {"suffix": picture.suffix}, picture.data


if __name__ == "__main__":
    serve(_answer)
