"""Workers as processes, the queue and the fal simulator: what happens to a person's requests among them."""

import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
from PIL import Image
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from rq.job import Job
from rq.serializers import JSONSerializer

from app.bot.requests.admission import Admission
from app.core import queues, redis_keys
from app.core.operations import Operation
from app.core.pause import Pause, Pauses
from app.core.requests import ImageRequest, RequestRecord, RequestState, RequestStore
from app.worker.leases import Claim, Leases
from tests.hostile import egress
from tests.support import shipped
from tests.support.inventory import VAULT
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
FAL_KEY = str(VAULT["fal_key"])
TERMINAL = {"done", "failed", "cancelled"}


class WorkerProcess:
    """A worker, with what it writes to its log and says to systemd."""

    def __init__(self, directory: Path, name: str, module: str, environment: dict[str, str]) -> None:
        self.name = name
        self._log = directory / f"{name}.log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = Path("/tmp") / f"imagebot-test-{uuid.uuid4().hex[:12]}.sock"  # noqa: S108  # a socket's path is short
        self._socket.bind(str(address))
        self._forgotten = 0
        self._told: list[str] = []
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        variables = {"PATH": os.environ["PATH"], **environment, "IMAGEBOT_WORKER_NAME": name}
        self.egress = directory / f"{name}.egress"
        """What its process sent, and to whom (``tests/hostile/egress.py``)."""
        variables["TEST_EGRESS"] = str(self.egress)
        variables |= {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "1000000"}
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", module]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=variables)

    def log(self) -> str:
        """What it has written, its predecessors of the same name included."""
        return self._log.read_text()[self._forgotten :]

    def forget(self) -> None:
        """Let ``log`` begin with what is written from now on."""
        self._forgotten = len(self._log.read_text())

    def told_systemd(self) -> list[str]:
        """The assignments it has sent so far."""
        return list(self._told)

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            self._told += message.decode().splitlines()

    def until_logged(self, text: str) -> None:
        wait_until(lambda: text in self.log(), f"{text!r} in the log of {self.name}")

    def until_ready(self) -> "WorkerProcess":
        wait_until(lambda: "READY=1" in self.told_systemd(), f"{self.name} is ready")
        return self

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; wait for the end if it is SIGKILL."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; give the exit status."""
        self.process.terminate()
        return self.process.wait(15)

    def exit_status(self) -> int:
        """Wait for its end."""
        return self.process.wait(30)

    def bury(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        address = self._socket.getsockname()
        self._socket.shutdown(socket.SHUT_RD)  # ends the thread
        self._listener.join(5)
        self._socket.close()
        Path(address).unlink()


class Harness:
    """Requests, workers and the outside."""

    def __init__(self, redis_url: str, fal_url: str, directory: Path) -> None:
        self.url = redis_url
        self.redis = Redis.from_url(redis_url, decode_responses=True)
        self.rq = Redis.from_url(redis_url)
        self._fal = httpx.Client(base_url=fal_url, timeout=30)
        self.directory = directory
        self.media = directory / "media"
        self.media.mkdir(exist_ok=True)
        self.workers: list[WorkerProcess] = []
        self._resident: dict[str, str] | None = None
        address = shipped.address(urlsplit(redis_url).port or 0)
        self._owners = {urlsplit(redis_url).port or 0: "redis-worker", urlsplit(fal_url).port or 0: "fal"}
        local = shipped.simulated("worker", queue=address, cache=address, media=self.media, fal=fal_url)
        self.environment = {**local, **shipped.QUICK}
        """What differs from the role's settings."""

    # -- workers --------------------------------------------------------------------------------------------------

    def worker(
        self, name: str = "imageworker@1", module: str = "tests.integration.worker.process", **settings: str
    ) -> WorkerProcess:
        """Start a worker; settings are environment variables, those of ours without their prefix."""
        named = {key if key.startswith("TEST_") else f"IMAGEBOT_{key}": value for key, value in settings.items()}
        credentials = self.directory / "credentials" / name
        settings = shipped.environment("worker", credentials, self.environment | named)
        settings["RUNTIME_DIRECTORY"] = str(self.runtime_directory(name))
        worker = WorkerProcess(self.directory, name, module, settings)
        self.workers.append(worker)
        return worker

    def runtime_directory(self, name: str) -> Path:
        """Return (and make) what systemd makes for a worker's unit."""
        directory = self.directory / "run" / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return directory

    def serve(self, **settings: str) -> None:
        """See to it that one worker with these settings runs: the last test's, or a new one."""
        if self._resident == settings and self.workers[0].process.poll() is None:
            self.workers[0].forget()
            records = ("rq:worker", "rq:scheduler", "rq:clean", "rq:queues", redis_keys.EPOCH)  # not of jobs
            if stale := [key for key in map(str, self.redis.keys("*")) if not key.startswith(records)]:
                self.redis.delete(*stale)
            self.tell_fal("reset")
            return
        self.clear()
        self.worker(**settings).until_ready()
        self._resident = settings

    def logs(self) -> str:
        return "\n".join(worker.log() for worker in self.workers)

    def log_count(self, text: str) -> int:
        """How often the workers have written something."""
        return self.logs().count(text)

    def clear(self) -> None:
        """End what runs and forget what was; fail if a secret has gone to anybody but its owner."""
        for worker in self.workers:
            worker.bury()
        strays = [stray for worker in self.workers for stray in egress.strays(worker.egress, self._owners)]
        self.workers.clear()
        self._resident = None
        for path in (*self.directory.glob("*.log"), *self.directory.glob("*.egress")):
            path.unlink()
        assert strays == []
        self.redis.flushall()
        self.tell_fal("reset")

    # -- requests -------------------------------------------------------------------------------------------------

    def order(
        self, prompt: str = "a fox [sim:latency=0.3]", queue: str = queues.QUEUE, *, enqueue: bool = True, **more: Any
    ) -> str:
        """Record a request and queue it; give its id."""
        more = {"operation": Operation.CREATE, "prompt": prompt, **more}
        request = ImageRequest(
            id=f"tg-{uuid.uuid4().hex[:10]}", user_id=7, chat_id=7, locale="en", queue=queue, **more
        )
        assert self.with_redis(lambda redis: Admission(redis).admit(request))
        if enqueue:
            assert queues.enqueue(self.rq, request.id, queue)
            self._with_store(lambda store: store.mark_queued(request.id))
        return request.id

    def orders(self, count: int, prompt: str = "a fox [sim:latency=0.3]") -> list[str]:
        return [self.order(f"{number} {prompt}") for number in range(count)]

    def record(self, request_id: str) -> RequestRecord:
        record = self._with_store(lambda store: store.load(request_id))
        assert isinstance(record, RequestRecord)
        return record

    def state(self, request_id: str) -> RequestState:
        return RequestState(str(self.redis.hget(redis_keys.request(request_id), "state")))

    def cancel(self, request_id: str) -> bool:
        return bool(self._with_store(lambda store: store.cancel(request_id)))

    def _with_store(self, call: Callable[[RequestStore], Any]) -> Any:
        return self.with_redis(lambda redis: call(RequestStore(redis)))

    def with_redis(self, call: Callable[[AsyncRedis], Any]) -> Any:
        async def run() -> Any:
            async with AsyncRedis.from_url(self.url, decode_responses=True) as redis:
                return await call(redis)

        return asyncio.run(run())

    def until_state(self, request_id: str, state: RequestState) -> None:
        wait_until(lambda: self.state(request_id) is state, f"{request_id} is {state}")

    def until_ended(self, ids: Iterable[str]) -> None:
        """Wait until all requests have ended, and RQ knows it."""
        left = set(ids)

        def ended() -> bool:
            left.difference_update([request_id for request_id in left if self.state(request_id).is_terminal])
            return not left and not self.redis.keys("imagebot:leases:*")

        wait_until(ended, "all requests have ended", 30)

    def give_away(self, request_id: str) -> None:
        """Put a running job back into its queue, as who takes its worker for dead does."""

        async def put_back(redis: AsyncRedis) -> list[str]:
            leases = Leases(redis, "reaper", queues.QUEUES, 60.0)
            [key] = [str(key) for key in self.redis.keys("rq:execution:*") if request_id in str(key)]
            execution = key.rsplit(":", 1)[-1]
            return await leases.put_back([Claim(queues.QUEUE, request_id, execution, {})])

        async def run() -> list[str]:
            async with AsyncRedis.from_url(self.url) as redis:
                return await put_back(redis)

        assert asyncio.run(run()) == [request_id]

    def leases(self) -> dict[str, float]:
        """The leases that stand, and their scores."""
        found: Any = self.redis.zrange(redis_keys.leases(queues.QUEUE), 0, -1, withscores=True)
        return dict(found)

    def step_redis_clock(self, seconds: float) -> dict[str, float]:
        """Leave the leases' ends where Redis' clock, stepping, would have left them relative to it; give these."""
        key = redis_keys.leases(queues.QUEUE)
        for lease in self.leases():
            self.redis.zincrby(key, -seconds, lease)
        return self.leases()

    def pause(self) -> Pause:
        """The pause that stands."""
        pause = self.with_redis(lambda redis: Pauses(redis).current())
        assert isinstance(pause, Pause)
        return pause

    # -- what came of it ------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Job:
        return Job.fetch(job_id, self.rq, JSONSerializer)

    def events(self, request_id: str) -> list[str]:
        """What the bot is told of a request, in order."""
        entries: Any = self.redis.xrange(redis_keys.EVENTS)
        return [fields["type"] for _, fields in entries if fields["request_id"] == request_id]

    def counts(self) -> dict[str, Any]:
        counts: dict[str, Any] = self._fal.get("/control/counts").raise_for_status().json()
        return counts

    def fal_jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = self._fal.get("/control/jobs").raise_for_status().json()
        return jobs

    def pictures(self, request_id: str) -> list[tuple[int, int]]:
        """Decode what is stored for a request; give the sizes."""
        sizes = []
        for key in self.record(request_id).media:
            with Image.open(io.BytesIO((self.media / key).read_bytes())) as image:
                image.load()
                sizes.append(image.size)
        return sizes

    def assert_each_done_once(self, ids: Sequence[str]) -> None:
        """Each request was drawn, told of and paid for once, and nothing is left behind."""
        assert [self.events(request_id) for request_id in ids] == [["started", "done"]] * len(ids)
        billed = Counter(job["payload"]["prompt"] for job in self.fal_jobs() if job["billed"])
        assert billed == Counter(self.record(request_id).request.prompt for request_id in ids)
        assert all(self.pictures(request_id) for request_id in ids)
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        for name in queues.QUEUES:
            assert self.redis.llen(f"rq:queue:{name}") == 0
            assert self.redis.zcard(f"rq:wip:{name}") == 0
            assert self.redis.zcard(redis_keys.leases(name)) == 0
        assert self.redis.keys("rq:execution:*") == []

    def run_rq(self, *arguments: str) -> str:
        """Run RQ's own command-line tool."""
        command = [sys.executable, "-m", "rq.cli", *arguments]
        environment = {**os.environ, "RQ_REDIS_URL": self.url}
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    def fault(self, kind: str, times: int = 1, **more: Any) -> None:
        """Make fal misbehave."""
        self.tell_fal("faults", kind=kind, times=times, **more)

    def tell_fal(self, what: str, **more: Any) -> None:
        """Use the simulator's control API."""
        self._fal.post(f"/control/{what}", json=more).raise_for_status()

    def dump(self) -> str:
        """What to look at when a test fails."""
        requests = {key: self.redis.hgetall(key) for key in self.redis.keys("imagebot:request:*")}
        leases = {key: self.redis.zrange(key, 0, -1, withscores=True) for key in self.redis.keys("imagebot:leases:*")}
        queued = {key: self.redis.lrange(key, 0, -1) for key in self.redis.keys("rq:queue:*")}
        shown = {"fal": self.counts(), "requests": requests, "leases": leases, "queued": queued}
        return json.dumps(shown, indent=1) + "\n" + self.logs()
