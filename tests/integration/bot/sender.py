"""A person with pictures, and what became of them."""

import asyncio
import base64
import io
import json
from typing import Any

from PIL import Image

from app.core import redis_keys
from app.core.media import MediaStore
from tests.integration.bot.conftest import Scene

COLOURS = ("red", "lime", "blue", "white")


class Sender:
    """A person with pictures."""

    def __init__(self, scene: Scene, language: str = "en") -> None:
        self.scene, self.person, self._language = scene, scene.person(language), language

    def send(self, *photos: bytes, document: bytes | None = None, kind: str = "image/jpeg", **more: Any) -> list[int]:
        if document is not None:
            data = base64.b64encode(document).decode()
            more["document"] = {"data": data, "file_name": "picture.jpg", "mime_type": kind}
        if photos:
            more["photos"] = [base64.b64encode(photo).decode() for photo in photos]
        path = f"/person/{self.person.id}/send"
        answer = self.scene.telegram.post(path, language_code=self._language, **more)
        return [int(message_id) for message_id in answer["message_ids"]]

    def press(self, message_id: int, data: str, **more: Any) -> None:
        self.scene.telegram.post(f"/person/{self.person.id}/press", message_id=message_id, data=data, **more)

    def request(self) -> dict[str, Any]:
        """The only request that was queued, once it is."""
        request_id = self.scene.worker.waits_for_request(self.person)
        assert len(self.scene.worker.queued(self.person)) == 1
        stored = self.scene.queue.client.hget(redis_keys.request(request_id), "request")
        request: dict[str, Any] = json.loads(str(stored))
        return request

    def inputs(self) -> list[Image.Image]:
        """The pictures of the only request, as they lie in the media store."""
        media = MediaStore(f"file://{self.scene.directory}")
        return [Image.open(io.BytesIO(asyncio.run(media.get(key)))) for key in self.request()["inputs"]]


def colours(images: list[Image.Image]) -> list[str]:
    """Which of ``COLOURS`` the pictures have."""
    names: dict[Any, str] = {(255, 0, 0): "red", (0, 255, 0): "lime", (0, 0, 255): "blue", (255, 255, 255): "white"}
    pixels: list[Any] = [image.convert("RGB").resize((1, 1)).getpixel((0, 0)) for image in images]
    return [names[tuple(255 if channel > 128 else 0 for channel in pixel)] for pixel in pixels]
