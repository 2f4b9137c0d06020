"""Start, look at and stop a stack."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
from supervisor.xmlrpc import SupervisorTransport

from tests.stack.redis_server import cache_arguments, link_redis_server, queue_arguments

ROOT: Final = Path(__file__).resolve().parents[2]
TELEGRAM_TOKEN: Final = "123456789:simulated-token-simulated-token-xyz"
FAL_KEY: Final = "simulated:key"  # of the simulator only
START_TIMEOUT: Final = 60.0
"""Seconds that a program may take until it runs."""


class StackError(Exception):
    """The stack did not do what it was told; the message names the log to read."""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on 127.0.0.1."""

    queue: int
    cache: int
    telegram: int
    fal: int

    @classmethod
    def free(cls) -> "Ports":
        """Choose four that nobody listens on."""
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
        ports = [listener.getsockname()[1] for listener in sockets]
        for listener in sockets:
            listener.close()
        return cls(*ports)


@dataclass(slots=True)
class Stack:
    """A stack in ``directory`` (logs, data, media). ``workers`` is how many imageworkers it runs."""

    directory: Path
    workers: int = 3
    bot: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further settings for bot and workers (``IMAGEBOT_*``)."""
    fal_arguments: tuple[str, ...] = ("--median", "4", "--p95", "8")
    telegram_arguments: tuple[str, ...] = ()
    ports: Ports | None = None

    # -- life ---------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start everything and wait until it runs; do nothing to a stack that does.

        Raises:
            StackError: a program did not come up.
        """
        if self.is_up():
            self._recall_ports()
            return
        for name in ("logs", "queue", "cache", "media"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        self.ports = self.ports or Ports.free()
        (self.directory / "ports.json").write_text(json.dumps(asdict(self.ports)))
        configuration = self.directory / "supervisord.conf"
        configuration.write_text(self._configuration(self.ports))
        self._socket.unlink(missing_ok=True)
        subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
            cwd=ROOT,
            env={**os.environ, **self.settings()},  # its programs inherit it, and no file holds it
            check=True,
        )
        self._wait_until_up()

    def down(self) -> None:
        """Stop everything; do nothing if nothing runs."""
        if not self.is_up():
            return
        pid = self._supervisor.getPID()
        self._supervisor.shutdown()
        deadline = time.monotonic() + START_TIMEOUT
        while Path(f"/proc/{pid}").exists():
            if time.monotonic() > deadline:
                raise StackError(f"supervisord (process {pid}) does not end; see {self.directory}/logs")
            time.sleep(0.1)

    def is_up(self) -> bool:
        """Whether a supervisord answers for this directory."""
        try:
            self._supervisor.getPID()
        except OSError:
            return False
        return True

    @contextmanager
    def running(self) -> Iterator["Stack"]:
        """Run the stack for the length of a ``with`` block."""
        self.up()
        try:
            yield self
        finally:
            self.down()

    # -- programs -----------------------------------------------------------------------------------------------

    def status(self) -> dict[str, str]:
        """Return each program's state, in supervisord's words."""
        return {process["name"]: process["statename"] for process in self._supervisor.getAllProcessInfo()}

    def pid(self, name: str) -> int:
        """Return a program's process id (0 if it does not run)."""
        return int(self._supervisor.getProcessInfo(self._full_name(name))["pid"])

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a program; supervisord restarts it if it dies, as systemd would."""
        os.kill(self.pid(name), number)

    def stop(self, name: str) -> None:
        """Stop a program (SIGTERM) and wait until it has ended."""
        self._supervisor.stopProcess(self._full_name(name))

    def start(self, name: str) -> None:
        """Start a program that was stopped."""
        self._supervisor.startProcess(self._full_name(name))

    def restart(self, name: str) -> None:
        """Stop and start a program."""
        self.stop(name)
        self.start(name)

    @property
    def worker_names(self) -> list[str]:
        """The workers' program names."""
        return [f"imageworker@{number}" for number in range(1, self.workers + 1)]

    # -- addresses ----------------------------------------------------------------------------------------------

    @property
    def queue_url(self) -> str:
        """The queue's Redis."""
        return f"redis://127.0.0.1:{self._port('queue')}/0"

    @property
    def cache_url(self) -> str:
        """The cache's Redis."""
        return f"redis://127.0.0.1:{self._port('cache')}/0"

    @property
    def telegram_url(self) -> str:
        """The simulated Telegram."""
        return f"http://127.0.0.1:{self._port('telegram')}"

    @property
    def fal_url(self) -> str:
        """The simulated fal."""
        return f"http://127.0.0.1:{self._port('fal')}"

    def settings(self) -> dict[str, str]:
        """Return the environment of bot and workers."""
        return {
            "IMAGEBOT_QUEUE_REDIS_URL": self.queue_url,
            "IMAGEBOT_CACHE_REDIS_URL": self.cache_url,
            "IMAGEBOT_MEDIA_URL": f"file://{self.directory}/media",
            "IMAGEBOT_TELEGRAM_TOKEN": TELEGRAM_TOKEN,
            "IMAGEBOT_TELEGRAM_API_URL": self.telegram_url,
            "IMAGEBOT_FAL_KEY": FAL_KEY,
            "IMAGEBOT_FAL_QUEUE_URL": self.fal_url,
            "IMAGEBOT_FAL_STORAGE_URL": self.fal_url,
            "IMAGEBOT_FAL_API_URL": f"{self.fal_url}/v1",
            "IMAGEBOT_FAL_CDN_URL": self.fal_url,
            "IMAGEBOT_FAL_MEDIA_HOSTS": '["127.0.0.1"]',
            **self.environment,
        }

    # -- within -------------------------------------------------------------------------------------------------

    def _port(self, name: str) -> int:
        if self.ports is None:
            self._recall_ports()
        return int(getattr(self.ports, name))

    def _recall_ports(self) -> None:
        try:
            self.ports = Ports(**json.loads((self.directory / "ports.json").read_text()))
        except FileNotFoundError:
            raise StackError("the stack is not up: make up") from None

    @property
    def _socket(self) -> Path:
        """supervisord's socket: a path short enough for one (108 bytes), and this directory's own."""
        name = sha256(str(self.directory.resolve()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"imagebot-{os.getuid()}-{name}.sock"

    @property
    def _supervisor(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def _full_name(self, name: str) -> str:
        return f"imageworker:{name}" if name.startswith("imageworker@") else name

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                states = self.status()
                if set(states.values()) == {"RUNNING"}:
                    for url in (self.telegram_url, self.fal_url):
                        httpx.get(f"{url}/control/health").raise_for_status()
                    return
            except (OSError, httpx.TransportError):
                states = {"supervisord": "no answer"}
            if time.monotonic() > deadline:
                late = {name: state for name, state in states.items() if state != "RUNNING"}
                raise StackError(f"not up after {START_TIMEOUT:.0f} s: {late}; see {self.directory}/logs")
            time.sleep(0.1)

    def _configuration(self, ports: Ports) -> str:
        redis_server = link_redis_server(self.directory)
        python = [sys.executable, "-m"]
        programs = {
            "redis-queue": [str(redis_server), "--port", str(ports.queue), "--bind", "127.0.0.1",
                            *queue_arguments(self.directory / "queue")],
            "redis-cache": [str(redis_server), "--port", str(ports.cache), "--bind", "127.0.0.1",
                            *cache_arguments(self.directory / "cache")],
            "telegram": [*python, "tests.simulators.telegram", "--port", str(ports.telegram),
                         "--token", TELEGRAM_TOKEN, *self.telegram_arguments],
            "fal": [*python, "tests.simulators.fal", "--port", str(ports.fal), "--key", FAL_KEY, *self.fal_arguments],
        }  # fmt: skip
        if self.bot:
            programs["imagebot"] = [*python, "app.bot"]
        sections = [
            f"[unix_http_server]\nfile={self._socket}\nchmod=0700",
            f"[supervisord]\nlogfile={self.directory}/logs/supervisord.log\npidfile={self.directory}/supervisord.pid\n"
            f"directory={ROOT}",
            f"[supervisorctl]\nserverurl=unix://{self._socket}",
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
            *(self._program(name, command) for name, command in programs.items()),
        ]
        if self.workers:
            numbered = 'environment=IMAGEBOT_WORKER_NAME="imageworker@%(process_num)d"'
            many = f"numprocs={self.workers}\nnumprocs_start=1\nprocess_name=imageworker@%(process_num)d\n{numbered}"
            sections.append(self._program("imageworker", [*python, "app.worker"], many))
        return "\n\n".join(sections) + "\n"

    def _program(self, name: str, command: list[str], more: str = "") -> str:
        log = "%(process_num)d" if "numprocs" in more else ""
        return (
            f"[program:{name}]\ncommand={_escape(shlex.join(command))}\nautorestart=true\nstartsecs=1\n"
            f"startretries=20\nexitcodes=0,78\nstopwaitsecs=10\nredirect_stderr=true\n"
            f"stdout_logfile={self.directory}/logs/{name}{log}.log\n{more}"
        )


def _escape(text: str) -> str:
    """Keep supervisord from expanding ``%``."""
    return text.replace("%", "%%")
