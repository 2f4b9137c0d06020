"""Start a simulator as a process of its own and talk to its control API, for tests and demos."""

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

_ROOT = Path(__file__).parents[2]


class Simulator:
    """A running simulator: `with Simulator("fal", "--key", "k") as fal: fal.url`."""

    def __init__(self, name: str, *arguments: str, port: int = 0, host: str = "127.0.0.1") -> None:
        command = [sys.executable, "-m", f"tests.simulators.{name}", "--host", host, "--port", str(port)]
        self.process = subprocess.Popen([*command, *arguments], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"the {name} simulator did not start: {line!r}")
        self.url = line.removeprefix("listening on ").strip()
        self.http = httpx.Client(base_url=self.url, timeout=60)

    def get(self, path: str, **query: Any) -> Any:
        """GET `path` and give the JSON answer; an error status raises."""
        return self.http.get(path, params=query).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        """POST `body` as JSON to `path` and give the JSON answer; an error status raises."""
        return self.http.post(path, json=body).raise_for_status().json()

    def stop(self) -> None:
        """End the process with SIGTERM and wait for it."""
        self.http.close()
        self.process.terminate()
        self.process.wait(10)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
