"""The child that decodes what fal sent: ``python -m app.worker.picture_process LIMIT``."""

from app.core.child_process import Answer, serve
from app.core.errors import RequestFailedError
from app.worker.pictures import verify


def _answer(data: bytes) -> Answer:
    try:
        picture = verify(data)
    except RequestFailedError as error:
        return {"refused": error.detail[:200]}, b""
    return {"suffix": picture.suffix}, b""


if __name__ == "__main__":
    serve(_answer)
