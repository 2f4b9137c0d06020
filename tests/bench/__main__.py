"""``python -m tests.bench worker|polling|status|bot``: what ``make bench`` runs."""

import argparse
import asyncio
import sys
from dataclasses import asdict

from tests.bench import bot_load, polling, report, status_messages
from tests.bench.measure import compare
from tests.bench.systems import BenchError, Provider
from tests.stack.stack import StackError
from tests.support.redis_server import NoRedisError

RATES = (0.4, 1.2, 4.0, 12.0)
"""Jobs a second."""


def bench_worker(given: argparse.Namespace) -> None:
    """Compare the workers."""
    provider = Provider(given.median, given.p95)
    results = asyncio.run(compare(report.OUTPUT, given.rates, given.seconds, provider, seed=given.seed))
    about = {"machine": report.machine(), "seconds": given.seconds, "provider": asdict(provider)}
    charts, table = report.charts(results), report.table(results)
    report.save("worker.json", report.as_json(results, about), charts)
    print(table)
    if given.write_docs:
        pictures = [f"![{name}]({name})" for name in charts]
        text = "\n\n".join([f"{given.seconds:g} s of arrivals for each row; {report.machine()}.", table, *pictures])
        report.write_docs("worker", text, charts)


def bench_polling(given: argparse.Namespace) -> None:
    """Compare the schedules."""
    lines = polling.lines()
    charts, table = {"benchmarks-polling.svg": polling.chart(lines)}, polling.table(lines)
    report.save("polling.json", {"schedules": [asdict(line) for line in lines]}, charts)
    print(table)
    if given.write_docs:
        report.write_docs("polling", f"{table}\n\n![Delay over looks](benchmarks-polling.svg)", charts)


def bench_status(given: argparse.Namespace) -> None:
    """Keep many status messages alive."""
    figures = status_messages.measure(given.people, given.seconds)
    report.save("status.json", status_messages.as_json(figures), {})
    table = status_messages.table(figures)
    print(table)
    if given.write_docs:
        report.write_docs("status", f"{given.seconds:g} s; {report.machine()}.\n\n{table}", {})


def bench_bot(given: argparse.Namespace) -> None:
    """Let one instance on one core answer people."""
    figures = bot_load.measure(given.rate, given.seconds, given.seed)
    report.save("bot.json", {**bot_load.as_json(figures), "machine": report.machine()}, {})
    table = bot_load.table(figures)
    print(table)
    if given.write_docs:
        report.write_docs(
            "bot", f"{given.rate:g} updates/s for {given.seconds:g} s; {report.machine()}.\n\n{table}", {}
        )


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Measure workers, polling schedules, status messages and the bot; results in build/bench"
    )
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md too")
    commands = parser.add_subparsers(required=True)
    worker = commands.add_parser("worker", help="our workers beside stock RQ")
    worker.add_argument("--rates", type=float, nargs="+", default=RATES, help="jobs a second")
    worker.add_argument("--seconds", type=float, default=180.0, help="of arrivals at each rate")
    worker.add_argument("--median", type=float, default=24.0, help="seconds that a job runs at fal")
    worker.add_argument("--p95", type=float, default=45.0)
    worker.add_argument("--seed", type=int, default=7)
    worker.set_defaults(run=bench_worker)
    commands.add_parser("polling", help="the polling schedules").set_defaults(run=bench_polling)
    status = commands.add_parser("status", help="many status messages at once")
    status.add_argument("--people", type=int, default=1000)
    status.add_argument("--seconds", type=float, default=60.0)
    status.set_defaults(run=bench_status)
    bot = commands.add_parser("bot", help="how fast one instance answers")
    bot.add_argument("--rate", type=float, default=100.0, help="updates a second")
    bot.add_argument("--seconds", type=float, default=60.0)
    bot.add_argument("--seed", type=int, default=7)
    bot.set_defaults(run=bench_bot)
    given = parser.parse_args()
    try:
        given.run(given)
    except (BenchError, StackError, NoRedisError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
