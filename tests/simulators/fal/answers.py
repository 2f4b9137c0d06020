"""What a model does with a job: read its inputs, then make the answer that the result call replays."""

import asyncio
from typing import Any

from .faults import ENDINGS, Ending
from .jobs import Job
from .models import MODELS, InputError, Model, input_urls, output_format, output_size, picture_count
from .pictures import SIDE_MOST, Pictures, Shape, hue_of, measure
from .settings import Settings
from .storage import Storage

JSON = dict[str, Any]
REFUSAL_S = 0.1
"""A refused input takes the model no longer than this."""
FOREIGN = "https://pictures.foreign.example"


class Answers:
    """The models' work."""

    def __init__(self, settings: Settings, pictures: Pictures, storage: Storage) -> None:
        self._settings = settings
        self._pictures = pictures
        self._storage = storage

    async def work(self, job: Job) -> float:
        """Fill in the job's answer; give the seconds the model runs."""
        model = MODELS.get(job.endpoint)
        if model is None:
            _answer(job, 404, {"detail": f"Path /{job.endpoint.split('/', 2)[-1]} not found"})
            return min(job.duration_s, REFUSAL_S)
        try:
            inputs = [await self._input(name) for name in input_urls(model, job.payload)]
            width, height = output_size(model, job.payload, inputs)
            count = picture_count(job.payload)
            kind = output_format(job.payload, self._settings.picture_kind)
        except InputError as error:
            _answer(job, 422, {"detail": [error.detail]})
            return min(job.duration_s, REFUSAL_S)
        job.ending = ENDINGS[job.kind]
        if job.ending.status == 200:
            job.shapes = [self._shape(width, height, kind, job, number) for number in range(count)]
            _answer(job, 200, await self._good(job, model))
        else:
            _fail(job)
        return job.duration_s

    async def _input(self, url: str) -> tuple[int, int]:
        data = await self._storage.fetch(url)
        if data is None:
            raise InputError("image_url", "Failed to download the file.", "file_download_error", url)
        try:
            return measure(data)
        except OSError:
            raise InputError("image_url", "Failed to load the image.", "image_load_error", url) from None

    def _shape(self, width: int, height: int, kind: str, job: Job, number: int) -> Shape:
        shrink = min(1.0, min(self._settings.picture_side_max, SIDE_MOST) / max(width, height))
        size = self._settings.picture_bytes
        hue = hue_of(f"{job.prompt}{number}")
        return Shape(max(1, int(width * shrink)), max(1, int(height * shrink)), kind, size, hue)

    async def _good(self, job: Job, model: Model) -> JSON | str:
        if job.ending.media == "bad_json":
            return '{"images": [{"url": '
        images = []
        for number, shape in enumerate(job.shapes):
            name = f"{job.request_id}-{number}.{shape.kind}"
            data = await asyncio.to_thread(self._pictures.get, shape, name)
            host = FOREIGN if job.ending.media == "foreign" else job.base
            image: JSON = {"url": f"{host}/files/{name}", "content_type": f"image/{shape.kind}"}
            image |= {"file_name": name, "file_size": len(data)}
            if model.sized:
                image |= {"width": shape.width, "height": shape.height}
            images.append(image)
        if job.ending.media == "no_images":
            images = []
        body: JSON = {"image": images[0] if images else None} if model.single else {"images": images}
        if model.seed:
            body["seed"] = job.payload.get("seed") or hue_of(job.request_id)
        return body | model.extra


def _answer(job: Job, status: int, body: Any) -> None:
    if status != 200:
        job.ending = Ending(status, free=True)
    job.answer_status, job.answer = status, body


def _fail(job: Job) -> None:
    ending = job.ending
    job.answer_status = ending.status
    if ending.infrastructure:
        job.answer = {"detail": ending.message, "error_type": ending.type}
        job.answer_headers = {"X-Fal-Error-Type": ending.type}
        return
    field_name = "prompt" if "prompt" in job.payload else "image_url"
    detail = InputError(field_name, ending.message, ending.type, job.payload).detail
    if ending.status >= 500:
        detail["loc"] = ["body"]
        job.answer_headers = {"X-Fal-Retryable": "true"}
    else:
        detail["input"] = job.payload.get(field_name)
    job.answer = {"detail": [detail]}
