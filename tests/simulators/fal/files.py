"""Result files and uploads as they are served, sound or spoiled."""

import asyncio
import random

from aiohttp import web

from .jobs import Job
from .pictures import Pictures, bomb
from .storage import Storage

_HTML = b"<!doctype html><title>Not found</title><p>This file has expired.</p>"


async def file_answer(
    request: web.Request, name: str, jobs: dict[str, Job], pictures: Pictures, storage: Storage
) -> web.StreamResponse:
    """Answer `GET /files/<name>`: an uploaded file, or a picture of a job."""
    if uploaded := storage.files.get(name):
        return web.Response(body=uploaded.data, content_type=uploaded.content_type)
    stem, _, _ = name.rpartition(".")
    request_id, _, number = stem.rpartition("-")
    job = jobs.get(request_id)
    if job is None or not number.isdigit() or int(number) >= len(job.shapes):
        return web.json_response({"detail": "Not Found"}, status=404)
    job.calls["file"] += 1
    shape = job.shapes[int(number)]
    data = await asyncio.to_thread(pictures.get, shape, name)
    kind = f"image/{shape.kind}"
    media = job.ending.media
    if media == "missing":
        return web.json_response({"detail": "Not Found"}, status=404)
    if media == "html":
        return web.Response(body=_HTML, content_type="text/html")
    if media == "wrong_type":
        return web.Response(body=data, content_type="text/plain")
    if media == "cut":
        return await _cut(request, data, kind)
    return web.Response(body=_spoil(media, data), content_type=kind)


def _spoil(media: str, data: bytes) -> bytes:
    match media:
        case "broken":
            return random.Random(0).randbytes(len(data))
        case "truncated":
            return data[: len(data) // 2]
        case "empty":
            return b""
        case "bomb":
            return bomb()
    return data


async def _cut(request: web.Request, data: bytes, kind: str) -> web.StreamResponse:
    """Promise all bytes, send half, and break the connection."""
    answer = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": kind})
    await answer.prepare(request)
    await answer.write(_spoil("truncated", data))
    if request.transport is not None:
        request.transport.close()
    return answer
