"""The HTTP side: the Bot API, file downloads, people and control on one base URL."""

import asyncio
import hmac
import time
from typing import Any

from aiohttp import web

from . import methods_bot, methods_edit, methods_send, methods_updates
from .errors import ApiError, PersonError
from .methods import METHODS
from .params import Params, read_params
from .person import PersonApi
from .settings import Settings
from .world import World

JSON = dict[str, Any]
_BODY_MOST = 60 * 1024 * 1024
_MODULES = (methods_bot, methods_edit, methods_send, methods_updates)  # imported for what they register
SUPPORTED = frozenset(name for name, _ in METHODS.values())
"""The methods of the Bot API that are simulated."""


def _answer(body: JSON) -> web.Response:
    return web.json_response(body, status=body.get("error_code", 200))


@web.middleware
async def _person_errors(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        answer: web.StreamResponse = await handler(request)
    except (PersonError, KeyError, ValueError) as error:
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
    return answer


class TelegramServer:
    """One simulated bot account and its HTTP application."""

    def __init__(self, settings: Settings) -> None:
        self.world = World(settings)
        self._started = time.monotonic()

    def app(self) -> web.Application:
        """Give the application."""
        app = web.Application(client_max_size=_BODY_MOST, middlewares=[_person_errors])
        app.on_shutdown.append(self._end)
        app.add_routes(
            [
                web.route("*", "/bot{token}/{method}", self._method),
                web.get("/file/bot{token}/{path:.+}", self._file),
                web.get("/control/health", self._health),
                web.get("/control/counts", self._counts),
                web.get("/control/outcomes", self._outcomes),
                web.get("/control/updates", self._updates),
                web.get("/control/people", self._people),
                web.get("/control/journal", self._journal),
                web.get("/control/settings", self._show_settings),
                web.post("/control/settings", self._settings),
                web.post("/control/faults", self._faults),
                web.post("/control/redeliver", self._redeliver),
                web.post("/control/reset", self._reset),
                *PersonApi(self.world).routes(),
            ]
        )
        return app

    def _ours(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.match_info["token"].encode(), self.world.settings.token.encode())

    async def _method(self, request: web.Request) -> web.Response:
        if not self._ours(request):
            return _answer(ApiError(401, "Unauthorized").body)
        name, function = METHODS.get(request.match_info["method"].lower(), ("", None))
        if function is None:
            return _answer(ApiError(404, "Not Found: method not found").body)
        at, params, fault = time.time(), Params({}, {}), None
        try:
            params = await read_params(request)
            fault = self.world.faults.take(name, params.integer("chat_id"))
            if fault and fault.kind == "drop":
                return self._dropped(request, name)
            if fault and fault.kind == "answer":
                raise fault.error()
            body: JSON = {"ok": True, "result": await function(self.world, params)}
        except ApiError as error:
            body = error.body
        except web.HTTPRequestEntityTooLarge:
            body = ApiError(413, "Request Entity Too Large").body
        if fault and fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault and fault.kind == "drop_after":
            return self._dropped(request, name)
        self.world.outcomes[name][str(body.get("error_code", 200))] += 1
        self.world.journal.called(at, name, params.integer("chat_id"), params.text("callback_query_id"), body)
        return _answer(body)

    async def _end(self, _: web.Application) -> None:
        self.world.delivery.stop()

    def _dropped(self, request: web.Request, name: str) -> web.Response:
        self.world.outcomes[name]["dropped"] += 1
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _file(self, request: web.Request) -> web.Response:
        if not self._ours(request):
            return _answer(ApiError(401, "Unauthorized").body)
        ttl_s = self.world.settings.file_link_ttl_s
        stored = self.world.files.by_path(request.match_info["path"], ttl_s)
        self.world.outcomes["file"]["200" if stored else "404"] += 1
        if stored is None:
            return _answer(ApiError(404, "Not Found").body)
        return web.Response(body=stored.data, content_type="application/octet-stream")

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"ok": True, "up_s": time.monotonic() - self._started})

    async def _counts(self, _: web.Request) -> web.Response:
        return web.json_response({name: sum(found.values()) for name, found in self.world.outcomes.items()})

    async def _outcomes(self, _: web.Request) -> web.Response:
        return web.json_response(self.world.outcomes)

    async def _updates(self, _: web.Request) -> web.Response:
        updates = self.world.updates
        attempts = self.world.delivery.webhook.attempts if self.world.delivery.webhook else 0
        seen = {"made": updates.made, "pending": updates.pending, "polling": updates.polling}
        seen["webhook_attempts"] = attempts
        return web.json_response(seen)

    async def _journal(self, _: web.Request) -> web.Response:
        return web.json_response(self.world.journal.as_json())

    async def _people(self, _: web.Request) -> web.Response:
        people = self.world.chats.people.values()
        return web.json_response([person.user_json() | {"blocked": person.blocked} for person in people])

    async def _show_settings(self, _: web.Request) -> web.Response:
        return web.json_response(self.world.settings.as_json())

    async def _settings(self, request: web.Request) -> web.Response:
        self.world.settings.change(await request.json())
        self.world.limits.renew()
        return await self._show_settings(request)

    async def _faults(self, request: web.Request) -> web.Response:
        self.world.faults.add(await request.json())
        return web.json_response({"ok": True})

    async def _redeliver(self, request: web.Request) -> web.Response:
        """Deliver a given update, number and all, once more."""
        self.world.updates.repeat(await request.json())
        return web.json_response({"ok": True})

    async def _reset(self, _: web.Request) -> web.Response:
        self.world.reset()
        return web.json_response({"ok": True})
