"""The HTTP side: queue, storage, files and control on one base URL."""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from .answers import Answers
from .faults import Faults
from .files import file_answer
from .jobs import Job, JobBook
from .listing import listing_page
from .models import known_app
from .pictures import Pictures
from .settings import Settings
from .storage import Storage

JSON = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_EXHAUSTED = "User is locked. Reason: Exhausted balance. Top up your balance at fal.ai/dashboard/billing."
_STREAM_STEP_S = 0.2
_UPLOAD_MOST = 100 * 1024 * 1024


def _error(status: int, detail: Any, **headers: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status, headers=headers)


class FalServer:
    """One simulated fal account and its HTTP application."""

    def __init__(self, settings: Settings) -> None:
        self._at_start = settings
        self._pictures = Pictures()
        self._reset()

    def _reset(self) -> None:
        self.settings = replace(self._at_start, errors=list(self._at_start.errors))
        self.faults = Faults()
        self.storage = Storage()
        self.book = JobBook(self.settings, self.faults, Answers(self.settings, self._pictures, self.storage).work)
        self.by_status: dict[str, Counter[str]] = defaultdict(Counter)

    def app(self) -> web.Application:
        """Give the application."""
        app = web.Application(client_max_size=_UPLOAD_MOST)
        app.on_startup.append(self._warm)
        request = "/{owner}/{alias}/requests/{request_id}"
        app.add_routes(
            [
                web.get("/control/health", self._health),
                web.get("/control/counts", self._counts),
                web.get("/control/jobs", self._jobs),
                web.get("/control/settings", self._show_settings),
                web.post("/control/settings", self._settings),
                web.post("/control/faults", self._faults),
                web.post("/control/reset", self._do_reset),
                web.post("/storage/auth/token", self._call("token", self._token)),
                web.post("/files/upload", self._call("upload", self._upload)),
                web.get("/files/{name}", self._call("file", self._file)),
                web.get(request + "/status", self._call("status", self._status)),
                web.get(request + "/status/stream", self._call("status", self._stream)),
                web.get(request, self._call("result", self._result)),
                web.get(request + "/response", self._call("result", self._result)),
                web.put(request + "/cancel", self._call("cancel", self._cancel)),
                web.get("/v1/models/requests/by-endpoint", self._call("listing", self._listing)),
                web.post("/{endpoint:.+}", self._call("submit", self._submit)),
            ]
        )
        return app

    async def _warm(self, _: web.Application) -> None:
        side = min(1024, self.settings.picture_side_max)
        shape = (side, side, self.settings.picture_kind, self.settings.picture_bytes)
        self._warming = asyncio.create_task(asyncio.to_thread(self._pictures.warm, *shape))

    def _call(self, name: str, handler: Handler) -> Handler:
        """Count a call and let a fault have its way with it."""

        async def call(request: web.Request) -> web.StreamResponse:
            prompt = await self._prompt_of(name, request) if self.faults else ""
            fault = self.faults.for_call(name, prompt)
            if fault is None or fault.kind != "status":
                answer = None if fault and fault.kind == "drop_request" else await handler(request)
            else:
                headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
                answer = web.json_response(fault.body, status=fault.status, headers=headers)
            dropped = fault is not None and fault.kind.startswith("drop")
            self.by_status[name]["dropped" if answer is None or dropped else str(answer.status)] += 1
            if fault and fault.delay_s:
                await asyncio.sleep(fault.delay_s)
            if answer is None or dropped:
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=500)
            return answer

        return call

    async def _prompt_of(self, name: str, request: web.Request) -> str:
        if name == "submit":
            try:
                return str((await request.json())["prompt"])
            except (ValueError, KeyError, TypeError):
                return ""
        job = self.book.jobs.get(request.match_info.get("request_id", ""))
        return job.prompt if job else ""

    def _refused(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization", "")
        if not given:
            return _error(401, "Authentication is required to access this application.")
        if given != f"Key {self.settings.key}":
            return _error(401, "No user found for Key ID and Secret")
        return None

    def _job(self, request: web.Request) -> Job | web.Response:
        """Find the job that a URL names, or say why not."""
        if refusal := self._refused(request):
            return refusal
        job = self.book.jobs.get(request.match_info["request_id"])
        gone = job and job.completed_at and time.time() - job.completed_at > self.settings.result_ttl_s
        if job is None or gone or not request.path.startswith(job.url.removeprefix(job.base)):
            return _error(404, "Request not found")
        return job

    async def _submit(self, request: web.Request) -> web.Response:
        if refusal := self._refused(request):
            return refusal
        if self.settings.balance == "exhausted":
            return _error(403, _EXHAUSTED)
        if self.settings.lock:
            return _error(403, f"User is locked. Reason: {self.settings.lock}.")
        endpoint = request.match_info["endpoint"]
        if not known_app(endpoint):
            return _error(404, f"Application '{endpoint}' not found")
        most = request.query.get("fal_max_queue_length")
        if most is not None and len(self.book.waiting) + len(self.book.low) >= int(most):
            return _error(429, "Queue is full: fal_max_queue_length exceeded")
        try:
            payload = await request.json()
        except ValueError:
            return _error(400, "Request body is not valid JSON")
        if not isinstance(payload, dict):
            return _error(400, "Request body must be a JSON object")
        headers = {name: value for name, value in request.headers.items() if name.startswith("X-Fal-")}
        base = f"{request.scheme}://{request.host}"
        job = self.book.submit(endpoint, payload, headers, base)
        body = {"status": "IN_QUEUE", **_urls(job), "logs": None, "metrics": {}}
        position = self.book.position(job) if job.status == "IN_QUEUE" else 0
        return web.json_response(body | {"queue_position": position})

    def _state(self, job: Job, with_logs: bool) -> JSON:
        body: JSON = {"status": job.status, **_urls(job), "logs": None, "metrics": {}}
        if job.status == "IN_QUEUE":
            return body | {"queue_position": self.book.position(job)}
        if with_logs:
            when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(job.started_at or job.completed_at))
            line = {"message": "Generating", "level": "INFO", "source": "USER", "timestamp": when}
            body["logs"] = [line]
        if job.status == "COMPLETED":
            if job.started_at and job.completed_at:
                body["metrics"] = {"inference_time": job.completed_at - job.started_at}
            if job.ending.infrastructure:
                body |= {"error": job.ending.message, "error_type": job.ending.type}
            job.first_seen_completed_at = job.first_seen_completed_at or time.time()
        return body

    async def _status(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if isinstance(job, web.Response):
            return job
        job.calls["status"] += 1
        with_logs = request.query.get("logs", "0").lower() in ("1", "true")
        return web.json_response(self._state(job, with_logs), status=200 if job.status == "COMPLETED" else 202)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        job = self._job(request)
        if isinstance(job, web.Response):
            return job
        job.calls["stream"] += 1
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        last, quiet_since = None, time.monotonic()
        while last is None or last["status"] != "COMPLETED":
            state = self._state(job, with_logs=False)
            if state != last:
                await answer.write(f"data: {json.dumps(state)}\n\n".encode())
                last, quiet_since = state, time.monotonic()
            elif time.monotonic() - quiet_since > 15:
                await answer.write(b": keep-alive\n\n")
                quiet_since = time.monotonic()
            await asyncio.sleep(_STREAM_STEP_S)
        return answer

    async def _result(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if isinstance(job, web.Response):
            return job
        job.calls["result"] += 1
        if job.status != "COMPLETED":
            return _error(400, "Request is still in progress")
        job.fetched_at = job.fetched_at or time.time()
        text = job.answer if isinstance(job.answer, str) else json.dumps(job.answer)
        headers = {"X-Fal-Request-Id": job.request_id, **job.answer_headers}
        return web.Response(text=text, status=job.answer_status, headers=headers, content_type="application/json")

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._job(request)
        if isinstance(job, web.Response):
            if job.status == 404:
                return web.json_response({"status": "NOT_FOUND"}, status=404)
            return job
        job.calls["cancel"] += 1
        if self.book.cancel(job):
            return web.json_response({"status": "CANCELLATION_REQUESTED"}, status=202)
        return web.json_response({"status": "ALREADY_COMPLETED"}, status=400)

    async def _listing(self, request: web.Request) -> web.Response:
        if refusal := self._refused(request):
            return refusal
        if self.settings.listing == "refused":
            return _error(403, "This key may not list requests")
        return listing_page(request.query, list(self.book.jobs.values()), ended_only=self.settings.listing == "ended")

    async def _token(self, request: web.Request) -> web.Response:
        base = f"{request.scheme}://{request.host}"
        return self._refused(request) or web.json_response(self.storage.token(base))

    async def _upload(self, request: web.Request) -> web.Response:
        if not self.storage.allows(request.headers.get("Authorization", ""), self.settings.key):
            return _error(401, "Invalid or expired token")
        name = self.storage.put(
            await request.read(), request.content_type, request.headers.get("X-Fal-File-Name", "upload")
        )
        return web.json_response({"access_url": f"{request.scheme}://{request.host}/files/{name}"})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        return await file_answer(request, name, self.book.jobs, self._pictures, self.storage)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _counts(self, _: web.Request) -> web.Response:
        totals = {call: sum(counter.values()) for call, counter in self.by_status.items()}
        names = {"submits": "submit", "status_polls": "status", "results": "result", "cancels": "cancel"}
        names |= {"tokens": "token", "uploads": "upload", "file_gets": "file", "listings": "listing"}
        jobs = self.book.jobs.values()
        counts: JSON = {name: totals.get(call, 0) for name, call in names.items()}
        counts |= {"jobs": len(jobs), "billed": sum(job.billed for job in jobs)}
        counts["completed"] = sum(job.status == "COMPLETED" for job in jobs)
        counts["in_progress"] = sum(job.status == "IN_PROGRESS" for job in jobs)
        counts["in_queue"] = len(self.book.waiting) + len(self.book.low)
        counts["in_progress_max"] = self.book.in_progress_max
        counts["in_queue_max"] = self.book.waiting_max
        counts["by_status"] = {call: dict(counter) for call, counter in self.by_status.items()}
        return web.json_response(counts)

    async def _jobs(self, _: web.Request) -> web.Response:
        return web.json_response([job.log() for job in self.book.jobs.values()])

    async def _show_settings(self, _: web.Request) -> web.Response:
        return web.json_response(self.settings.as_json())

    async def _settings(self, request: web.Request) -> web.Response:
        try:
            self.settings.change(await request.json())
            self.book.new_latency()
        except ValueError as error:
            return _error(400, str(error))
        self.book.fill()
        return web.json_response(self.settings.as_json())

    async def _faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.add(await request.json())
        except ValueError as error:
            return _error(400, str(error))
        return web.json_response({"ok": True})

    async def _do_reset(self, _: web.Request) -> web.Response:
        self.book.stop()
        self._reset()
        return web.json_response({"ok": True})


def _urls(job: Job) -> JSON:
    return {
        "request_id": job.request_id,
        "response_url": job.url,
        "status_url": job.url + "/status",
        "cancel_url": job.url + "/cancel",
    }
