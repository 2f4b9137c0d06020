"""The platform API's list of an account's requests, `GET /v1/models/requests/by-endpoint`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from .jobs import Job

_PAGE, _PAGE_MOST = 50, 100


def _time(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z") if seconds else None


def _item(job: Job, *, payloads: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "request_id": job.request_id,
        "endpoint_id": job.endpoint,
        "status_code": job.answer_status,
    }
    item |= {
        "sent_at": _time(job.submitted_at),
        "started_at": _time(job.started_at),
        "ended_at": _time(job.completed_at),
    }
    return item | ({"json_input": job.payload, "json_output": job.answer} if payloads else {})


def listing_page(query: Mapping[str, str], jobs: Sequence[Job], *, ended_only: bool) -> web.Response:
    """Answer one page, the latest end first; the cursor is the number of the next request."""
    try:
        start = datetime.fromisoformat(query["start"]).timestamp() if "start" in query else 0.0
        limit, first = int(query.get("limit", _PAGE)), int(query.get("cursor", 0))
        endpoint = query["endpoint_id"]
    except (ValueError, KeyError) as error:
        return web.json_response({"error": {"type": "validation_error", "message": str(error)}}, status=400)
    if not 1 <= limit <= _PAGE_MOST:
        return web.json_response({"error": {"type": "validation_error", "message": "limit"}}, status=400)
    listed = [job for job in jobs if job.endpoint == endpoint and job.submitted_at >= start]
    listed = [job for job in listed if job.completed_at or not ended_only]
    listed.sort(key=lambda job: job.completed_at or job.submitted_at, reverse=True)
    more = len(listed) > first + limit
    items = [_item(job, payloads=query.get("expand") == "payloads") for job in listed[first : first + limit]]
    return web.json_response({"items": items, "has_more": more, "next_cursor": str(first + limit) if more else None})
