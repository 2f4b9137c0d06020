"""fal's list of an account's requests: which of them is the submit whose answer was lost?

``GET /models/requests/by-endpoint`` of fal's platform API, with the account's usual key. It is sorted by the end of
requests, so one that still runs may not be in it.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pydantic_core import from_json

from app.core.errors import ImagebotError
from app.core.requests import FalRequest
from app.worker import fal_http
from app.worker.fal_http import NoAnswerError
from app.worker.fal_shapes import Listed, Page
from app.worker.retry_policy import TransientError

PAGE: Final = 100
"""Requests in one answer; fal's most."""
PAGES_MAX: Final = 20
"""Answers that are read for one look-up."""
CLOCKS_APART: Final = 60.0
"""Seconds by which fal's clock and ours may differ."""


class ListingRefusedError(ImagebotError):
    """fal does not show this key its requests."""


class FalListing:
    """Looks requests up."""

    def __init__(
        self, key: str, api_url: str, queue_url: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """``transport``: how requests are sent, if not as usual."""
        self._queue_url = queue_url.rstrip("/")
        self._client = fal_http.client(base_url=api_url, headers={"Authorization": f"Key {key}"}, transport=transport)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def find(self, endpoint: str, payload: Mapping[str, Any], since: float) -> list[FalRequest]:
        """Return the requests to an endpoint with this input that fal received from then on (Unix s), oldest first.

        Raises:
            ListingRefusedError: fal shows this key no list.
            TransientError: no list is to be had now.
        """
        found = []
        try:
            async for item in self._items(endpoint, since - CLOCKS_APART):
                sent_at = item.received_at.timestamp()
                if sent_at >= since - CLOCKS_APART and _is_input(item.json_input, payload):
                    found.append(self._request(endpoint, item.request_id, sent_at))
        except NoAnswerError as error:
            raise TransientError(f"listing: {error}") from error
        except ValueError:
            raise TransientError("listing: unreadable answer") from None
        return sorted(found, key=lambda request: request.submitted_at)

    async def _items(self, endpoint: str, start: float) -> AsyncIterator[Listed]:
        query = {"endpoint_id": endpoint, "start": datetime.fromtimestamp(start, UTC).isoformat(timespec="seconds")}
        query |= {"expand": "payloads", "limit": str(PAGE)}
        for _ in range(PAGES_MAX):
            response = await fal_http.call(self._client, "GET", "models/requests/by-endpoint", params=query)
            if response.status_code in {401, 403, 404, 405}:
                raise ListingRefusedError(f"listing: HTTP {response.status_code}")
            if not response.is_success:
                raise TransientError(f"listing: HTTP {response.status_code}")
            page = Page.model_validate_json(response.content)
            for item in page.items:
                yield item
            if not page.next_cursor:
                return
            query["cursor"] = page.next_cursor
        raise TransientError("listing: too long")

    def _request(self, endpoint: str, request_id: str, sent_at: float) -> FalRequest:
        """Put together what a submit's answer would have held: its URLs carry only owner and app."""
        owner, app = endpoint.split("/")[:2]
        url = f"{self._queue_url}/{owner}/{app}/requests/{request_id}"
        return FalRequest(request_id, f"{url}/status", url, f"{url}/cancel", endpoint, sent_at)


def _is_input(listed: Any, payload: Mapping[str, Any]) -> bool:
    """Tell whether a listed input is ours; fal may have added the model's defaults."""
    if isinstance(listed, str):
        listed = from_json(listed)
    return isinstance(listed, dict) and all(listed.get(name) == value for name, value in payload.items())
