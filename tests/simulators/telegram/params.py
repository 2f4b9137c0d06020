"""A call's parameters: from the query, a form, a multipart form or JSON."""

import contextlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .errors import bad

JSON = dict[str, Any]


@dataclass(frozen=True)
class Upload:
    """A file that came with the call."""

    data: bytes
    name: str
    mime: str


class Params:
    """Typed access to what was given."""

    def __init__(self, values: JSON, uploads: dict[str, Upload]) -> None:
        self._values = values
        self.uploads = uploads

    def has(self, name: str) -> bool:
        """Tell whether a parameter was given."""
        return self._values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        """Give a text, empty if it is missing."""
        value = self._values.get(name)
        return "" if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Give a whole number."""
        with contextlib.suppress(ValueError):
            return int(self.text(name))
        return default

    def flag(self, name: str) -> bool:
        """Give a truth value."""
        return self.text(name).lower() in ("true", "1", "yes")

    def parsed(self, name: str) -> Any:
        """Give an object or list, which forms carry as JSON; None if it is missing."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def upload(self, name: str) -> Upload | None:
        """Give the file that a parameter names: its own part, or `attach://<part>`."""
        if name in self.uploads:
            return self.uploads[name]
        return self.attached(self.text(name))

    def attached(self, reference: str) -> Upload | None:
        """Give the part that an `attach://<part>` names."""
        return self.uploads.get(reference.removeprefix("attach://")) if reference else None


async def read_params(request: web.Request) -> Params:
    """Read whatever form a call has."""
    values: JSON = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        try:
            given = await request.json()
        except ValueError:
            raise bad("can't parse request: invalid JSON") from None
        if isinstance(given, dict):
            values |= given
    elif request.can_read_body:
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                uploads[name] = Upload(value.file.read(), value.filename, value.content_type)
            else:
                values[name] = value
    return Params(values, uploads)
