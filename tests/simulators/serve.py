"""What both simulators share: listen, say where, and end on SIGTERM."""

import argparse
import asyncio
import contextlib
import signal

from aiohttp import web


def parser(description: str, default_port: int) -> argparse.ArgumentParser:
    """Give an argument parser that knows --host and --port (0 picks a free one)."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--host", default="127.0.0.1")
    result.add_argument("--port", type=int, default=default_port)
    return result


async def _serve(app: web.Application, host: str, port: int) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024)
    await site.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    print(f"listening on http://{host}:{runner.addresses[0][1]}", flush=True)
    await stop.wait()
    await runner.cleanup()


def serve(app: web.Application, host: str, port: int) -> None:
    """Serve `app` until SIGTERM or SIGINT; the first line on stdout is `listening on http://HOST:PORT`."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, host, port))
