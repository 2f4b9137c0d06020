"""Inputs on their way to fal's storage: the key goes to fal's hosts and to nobody else, whatever they answer."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from app.worker import fal_http
from app.worker.fal_uploads import Uploader
from app.worker.retry_policy import TransientError

KEY = "an-id:a-secret-that-only-fal-may-see"
TOKEN = {"token": "t", "token_type": "Bearer", "expires_at": "2099-01-01T00:00:00+00:00"}


@dataclass
class Host:
    """An HTTP server that answers as it is told and remembers what it was sent."""

    answers: dict[str, web.Response] = field(default_factory=dict)
    drip: str = ""
    """The path of an answer that comes one byte at a time, for ever."""
    received: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and ``Authorization`` of each request."""
    lifecycles: list[str] = field(default_factory=list)
    """What each request said of how long to keep things, if it did."""
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.received.append((request.method, request.path, request.headers.get("Authorization", "")))
        self.lifecycles += request.headers.getall("X-Fal-Object-Lifecycle", [])
        if request.path == self.drip:
            stream = web.StreamResponse()
            await stream.prepare(request)
            while True:
                await stream.write(b" ")
                await asyncio.sleep(0.05)
        found = self.answers.get(request.path)
        if found is None:
            return web.json_response({"detail": "no such thing"}, status=404)
        return web.Response(status=found.status, body=found.body, headers=found.headers)


@pytest.fixture
async def hosts() -> AsyncIterator[tuple[Host, Host]]:
    """Fal's storage, and a host that is not fal's."""
    runners, both = [], (Host(), Host())
    for host in both:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", host.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        runners.append(runner)
    yield both
    for runner in runners:
        await runner.cleanup()


def _json(body: object, status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


def _redirect(to: str) -> web.Response:
    return web.Response(status=307, headers={"Location": to})


FAILURES = ("upload-refused", "upload-broken", "token-refused", "token-broken", "token-redirects", "upload-redirects",
            "no-token", "no-json")  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
async def test_the_key_goes_to_no_host_but_fal_s_however_an_upload_fails(
    hosts: tuple[Host, Host], failure: str
) -> None:
    fal, foreign = hosts
    fal.answers = {
        "/storage/auth/token": _json(TOKEN | {"base_url": foreign.url}),
        "/files/upload": _json({"access_url": f"{fal.url}/files/1.png"}),
        # What fal-client would fall back to, with an address that the key must not be sent to.
        "/storage/upload/initiate": _json({"upload_url": f"{foreign.url}/put", "file_url": f"{fal.url}/files/2.png"}),
    }
    foreign.answers = {path: _json({"access_url": "x", **TOKEN}) for path in ("/put", "/elsewhere", "/files/upload")}
    fal.answers |= {
        "upload-refused": {"/files/upload": _json({"detail": "no"}, 400)},
        "upload-broken": {"/files/upload": _json([], 200)},
        "token-refused": {"/storage/auth/token": _json({"detail": "no"}, 403)},
        "token-broken": {"/storage/auth/token": _json({"token": 5})},
        "token-redirects": {"/storage/auth/token": _redirect(f"{foreign.url}/elsewhere")},
        "upload-redirects": {"/files/upload": _redirect(f"{foreign.url}/elsewhere")},
        "no-token": {"/storage/auth/token": _json({})},
        "no-json": {"/storage/auth/token": web.Response(text="<html>")},
    }[failure]
    with pytest.raises(TransientError):
        await Uploader(KEY, fal.url, fal.url)(b"a picture", "image/png")
    assert not foreign.received
    assert {path for _, path, authorization in fal.received if KEY in authorization} == {"/storage/auth/token"}
    assert not [path for _, path, _ in fal.received if path == "/storage/upload/initiate"]


async def test_an_upload_carries_a_token_and_not_the_key(hosts: tuple[Host, Host]) -> None:
    fal, foreign = hosts
    fal.answers = {
        "/storage/auth/token": _json(TOKEN | {"base_url": foreign.url}),
        "/files/upload": _json({"access_url": f"{fal.url}/files/1.png"}),
    }
    assert await Uploader(KEY, fal.url, fal.url)(b"a picture", "image/png") == f"{fal.url}/files/1.png"
    assert fal.received == [("POST", "/storage/auth/token", f"Key {KEY}"), ("POST", "/files/upload", "Bearer t")]
    assert not foreign.received


@pytest.mark.parametrize(("seconds", "said"), [(0, []), (86_400, ['{"expiration_duration_seconds": 86400}'])])
async def test_an_upload_says_how_long_it_is_to_be_kept(
    hosts: tuple[Host, Host], seconds: int, said: list[str]
) -> None:
    fal, _ = hosts
    fal.answers = {
        "/storage/auth/token": _json(TOKEN | {"base_url": fal.url}),
        "/files/upload": _json({"access_url": f"{fal.url}/files/1.png"}),
    }
    await Uploader(KEY, fal.url, fal.url, keep_seconds=seconds)(b"a picture", "image/png")
    assert fal.lifecycles == said


LARGE = b" " * (fal_http.ANSWER_MAX + 1)
ODD = {
    "large": web.Response(body=LARGE),
    "encoded": web.Response(body=gzip.compress(gzip.compress(LARGE)), headers={"Content-Encoding": "gzip, gzip"}),
    "deep": web.Response(body=b"[" * 100_000, content_type="application/json"),
    "charset": web.Response(body=b"{}", headers={"Content-Type": "application/json; charset=undefined"}),
    "time": _json(TOKEN | {"base_url": "x", "expires_at": "0001-01-01T00:00:00+23:59"}),
    "address": _json({"access_url": "x" * 10_000}),
    "no address": _json({"access_url": None}),
}


@pytest.mark.parametrize("path", ["/storage/auth/token", "/files/upload"])
@pytest.mark.parametrize("odd", list(ODD))
async def test_an_odd_answer_to_an_upload_is_an_upload_that_failed(
    hosts: tuple[Host, Host], path: str, odd: str
) -> None:
    fal, _ = hosts
    if path == "/files/upload":
        fal.answers = {"/storage/auth/token": _json(TOKEN | {"base_url": fal.url})}
    fal.answers[path] = ODD[odd]
    with pytest.raises(TransientError):
        await Uploader(KEY, fal.url, fal.url)(b"a picture", "image/png")


@pytest.mark.parametrize("path", ["/storage/auth/token", "/files/upload"])
async def test_an_answer_to_an_upload_that_drips_is_not_waited_for(
    hosts: tuple[Host, Host], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fal, _ = hosts
    monkeypatch.setattr(fal_http, "FILE_SECONDS", 1.0)
    fal.answers = {"/storage/auth/token": _json(TOKEN | {"base_url": fal.url})}
    fal.drip = path
    with pytest.raises(TransientError, match="TimeoutError"):
        await Uploader(KEY, fal.url, fal.url)(b"a picture", "image/png")
