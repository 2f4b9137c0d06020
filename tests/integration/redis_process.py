"""A Redis server of a test's own, set up as the queue's instance is."""

import signal
import socket
import subprocess
import time
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.stack.redis_server import link_redis_server, queue_arguments


class RedisProcess:
    """Runs from the start; may be killed and started again, and keeps what it holds (AOF)."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = Redis(port=self.port, decode_responses=True)
        program = link_redis_server(directory)
        self._command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", *queue_arguments(directory)]
        self.start()

    def start(self) -> None:
        """Start, and wait for an answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < until, "Redis does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except RedisConnectionError:
            return False

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; wait for the end if it is a deadly one."""
        self._process.send_signal(number)
        if number in {signal.SIGKILL, signal.SIGTERM}:
            self._process.wait(20)
            self.client.connection_pool.disconnect()
