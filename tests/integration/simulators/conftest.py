"""Both simulators as processes, one of each for all tests, forgetful between them."""

import io
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.simulators.client import Simulator

KEY = "fal-test-key"
TOKEN = "42:TEST-TOKEN"
CREATE = "fal-ai/flux/schnell"


class Fal:
    """The fal simulator as a client with a key sees it; jobs run for ever unless the prompt says otherwise."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.url = simulator.url
        self.anyone = httpx.Client(timeout=10)
        self.http = httpx.Client(headers={"Authorization": f"Key {KEY}"}, timeout=10)

    def submit(self, prompt: str = "a cat [sim:never]", endpoint: str = CREATE, **payload: Any) -> dict[str, Any]:
        """Submit and give the answer's body."""
        body = {"prompt": prompt} | payload
        answer: dict[str, Any] = self.http.post(f"{self.url}/{endpoint}", json=body).raise_for_status().json()
        return answer

    def status(self, job: dict[str, Any], **query: Any) -> httpx.Response:
        """Ask for the status of a submitted job."""
        return self.http.get(job["status_url"], params=query)

    def result(self, job: dict[str, Any]) -> httpx.Response:
        """Wait for a job to complete and fetch its result."""
        until = time.monotonic() + 20
        while self.status(job).status_code != 200:
            assert time.monotonic() < until, "the job does not complete"
            time.sleep(0.02)
        return self.http.get(job["response_url"])

    def run(self, prompt: str = "a cat", endpoint: str = CREATE, **payload: Any) -> httpx.Response:
        """Submit a job that takes no time and fetch its result."""
        return self.result(self.submit(f"{prompt} [sim:latency=0]", endpoint, **payload))

    def counts(self) -> dict[str, Any]:
        """Give the simulator's counts."""
        counts: dict[str, Any] = self.simulator.get("/control/counts")
        return counts


class Telegram:
    """The Telegram simulator as a bot and as a person see it."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.url = simulator.url
        self.api = httpx.Client(base_url=f"{simulator.url}/bot{TOKEN}", timeout=15)

    def call(self, method: str, files: Any = None, **params: Any) -> dict[str, Any]:
        """Call a method as the bot; give the whole answer."""
        if files:
            answer = self.api.post(f"/{method}", data=params, files=files)
        else:
            answer = self.api.post(f"/{method}", json=params)
        body: dict[str, Any] = answer.json()
        assert answer.status_code == body.get("error_code", 200)
        return body

    def ok(self, method: str, files: Any = None, **params: Any) -> Any:
        """Call a method that is to succeed; give the result."""
        body = self.call(method, files, **params)
        assert body["ok"], body
        return body["result"]

    def says(self, person: int, text: str = "hello", **more: Any) -> int:
        """Let a person write a text; give the message_id."""
        ids: list[int] = self.simulator.post(f"/person/{person}/send", text=text, **more)["message_ids"]
        return ids[-1]

    def chat(self, person: int, **query: Any) -> list[dict[str, Any]]:
        """Give the messages of a person's chat."""
        messages: list[dict[str, Any]] = self.simulator.get(f"/person/{person}/chat", **query)["messages"]
        return messages

    def updates(self, **params: Any) -> list[dict[str, Any]]:
        """Give the pending updates without waiting."""
        found: list[dict[str, Any]] = self.ok("getUpdates", **params)
        return found


@pytest.fixture(scope="session")
def fal_process() -> Iterator[Fal]:
    with Simulator("fal", "--key", KEY, "--seed", "1") as simulator:
        yield Fal(simulator)


@pytest.fixture
def fal(fal_process: Fal) -> Fal:
    fal_process.simulator.post("/control/reset")
    return fal_process


@pytest.fixture(scope="session")
def telegram_process() -> Iterator[Telegram]:
    with Simulator("telegram", "--token", TOKEN) as simulator:
        yield Telegram(simulator)


@pytest.fixture
def telegram(telegram_process: Telegram) -> Telegram:
    telegram_process.simulator.post("/control/reset")
    return telegram_process


def picture(width: int = 60, height: int = 40, kind: str = "PNG") -> bytes:
    """Make a picture."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(out, kind)
    return out.getvalue()
