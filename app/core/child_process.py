"""Work on untrusted bytes, such as decoding a picture, in a child process that can be killed.

A library that decodes a stranger's file may take minutes, gigabytes or be taken over. So it runs in a process that
has no secret in its environment, a limit on its memory and its time, and one way to answer: a header (a JSON object)
and a payload, both bounded. Nothing is unpickled. A child serves one piece of work at a time and stays for the next.

On the wire, each way: two lengths (4 bytes each, big endian), then header and payload; the child gets no header.
"""

import asyncio
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from app.core.errors import ImagebotError

HEADER_MAX: Final = 4096
"""Bytes of an answer's header."""
WORK_MAX: Final = 200
"""Pieces of work after which a child is replaced, since libraries leak."""
_LENGTHS: Final = struct.Struct(">II")

Answer = tuple[dict[str, Any], bytes]


class ChildFailedError(ImagebotError):
    """The child was killed, died or answered nonsense; ``reason`` is ``time``, ``died`` or ``answer``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChildProcesses:
    """Up to ``size`` children that run ``python -m module`` (it calls ``serve``), started when needed, kept warm."""

    def __init__(self, module: str, *, size: int, seconds: float, memory: int, answer_max: int) -> None:
        """``seconds`` for one piece of work; ``memory``: bytes of a child's address space; ``answer_max``: bytes."""
        self._command = [sys.executable, "-m", module, str(memory)]
        self._seconds = seconds
        self._answer_max = answer_max
        self._free = asyncio.Semaphore(size)
        self._idle: list[tuple[asyncio.subprocess.Process, int]] = []
        self._busy: set[asyncio.subprocess.Process] = set()

    async def __call__(self, data: bytes) -> Answer:
        """Have a child work on ``data``; waits for a free one.

        Raises:
            ChildFailedError: it took too long, died (of its memory limit, too), or its answer is none.
            OSError: no child can be started now.
        """
        async with self._free:
            process, served = self._warm() or (await self._start(), 0)
            self._busy.add(process)
            healthy = False
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._exchange(process, data)
                healthy = served + 1 < WORK_MAX
                return answer
            except TimeoutError:
                raise ChildFailedError("time") from None
            except (asyncio.IncompleteReadError, OSError):
                raise ChildFailedError("died") from None
            except ValueError:
                raise ChildFailedError("answer") from None
            finally:
                self._busy.discard(process)
                if healthy and process.returncode is None:
                    self._idle.append((process, served + 1))
                else:
                    await _end(process)

    def _warm(self) -> tuple[asyncio.subprocess.Process, int] | None:
        """Return an idle child that has not died meanwhile, and how often it has served."""
        while self._idle:
            process, served = self._idle.pop()
            if not _has_ended(process):
                return process, served
        return None

    async def warm_up(self) -> None:
        """Start one child, so that the first piece of work does not wait for it."""
        if not self._idle:
            self._idle.append((await self._start(), 0))

    async def aclose(self) -> None:
        """End all children, whatever they do."""
        for process in [*self._busy, *(process for process, _ in self._idle)]:
            await _end(process)
        self._idle.clear()

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            limit=1 << 20,
            preexec_fn=_ignore_stops,
        )

    async def _exchange(self, process: asyncio.subprocess.Process, data: bytes) -> Answer:
        if process.stdin is None or process.stdout is None:
            raise ValueError("no pipes")
        process.stdin.write(_LENGTHS.pack(0, len(data)))
        process.stdin.write(data)
        await process.stdin.drain()
        header_length, length = _LENGTHS.unpack(await process.stdout.readexactly(_LENGTHS.size))
        if header_length > HEADER_MAX or length > self._answer_max:
            raise ValueError("an answer longer than allowed")
        header = json.loads(await process.stdout.readexactly(header_length))
        if not isinstance(header, dict):
            raise ValueError("the header is no object")
        return header, await process.stdout.readexactly(length)


def _has_ended(process: asyncio.subprocess.Process) -> bool:
    """Whether a child is dead; the event loop hears of it a moment later."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # it has been waited for just now
        return True


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    if process.stdin:
        process.stdin.close()
    await process.wait()


def _ignore_stops() -> None:
    """Let a child, from its first moment on, outlast what systemd sends to all of a unit: its work is finished."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, signal.SIG_IGN)


def serve(work: Callable[[bytes], Answer]) -> None:
    """Be the child: answer until standard input ends. ``sys.argv[1]`` is the limit of the address space in bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library's chatter is no answer
    while lengths := source.read(_LENGTHS.size):
        _, length = _LENGTHS.unpack(lengths)
        header, payload = work(source.read(length))
        encoded = json.dumps(header).encode()
        sink.write(_LENGTHS.pack(len(encoded), len(payload)) + encoded)
        sink.write(payload)
        sink.flush()
