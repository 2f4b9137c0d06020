"""``python -m tests.faults``: what ``make faults`` runs."""

import argparse
import asyncio
import json
import sys
from typing import Any

from tests.bench import report
from tests.bench.systems import WORKERS, BenchError, Ours, Provider
from tests.faults.chaos import ChaosTest, Plan
from tests.stack.stack import StackError
from tests.support.redis_server import NoRedisError

SPARE = 1.5
"""Room in the fleet, as a factor on the rate: some of it is always dead."""


def run(ours: Ours, plan: Plan) -> dict[str, Any]:
    """Start the system, run the chaos test, stop it; return the counts."""
    try:
        ours.start()
        return asyncio.run(ChaosTest(ours, plan).run())
    finally:
        ours.stop()


def table(counts: dict[str, Any]) -> str:
    """Return the counts as a Markdown table."""
    failed = ", ".join(f"{count} {reason}" for reason, count in counts["failed"].items()) or "none"
    rows = {
        "accepted": counts["accepted"],
        "finished once": counts["finished_once"],
        "lost": counts["lost"],
        "seen twice": counts["seen_twice"],
        "billed twice": counts["billed_twice"],
        "failed": failed,
        "kills": ", ".join(f"{count} {what}" for what, count in counts["kills_by"].items()),
        "resumed": counts["resumed"],
        "longest gap": f"{counts['longest_gap_s']:.1f} s",
    }
    lines = [f"| {name} | {figure} |" for name, figure in rows.items()]
    return "\n".join([f"{report.machine()}.", "", "| figure | |", "|---|---|", *lines])


def main() -> int:
    """Do what the command line says; return the exit status: 1 if a request was lost, or done or billed twice."""
    parser = argparse.ArgumentParser(description="Faults under load; counts in build/bench/faults.json")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md too")
    given = parser.parse_args()
    plan = Plan(seed=given.seed)
    ours = Ours(report.OUTPUT / "faults", Provider(), plan.rate * SPARE, workers=WORKERS)
    print(f"... {plan.seconds:g} s of {plan.rate:g} jobs/s under faults, then until all have ended", flush=True)
    try:
        counts = run(ours, plan)
    except (BenchError, StackError, NoRedisError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report.save("faults.json", {**counts, "about": {"machine": report.machine()}}, {})
    print(json.dumps(counts, indent=1))
    if given.write_docs:
        report.write_docs("faults", table(counts), {})
    return int(counts["lost"] + counts["seen_twice"] + counts["billed_twice"] > 0)


if __name__ == "__main__":
    sys.exit(main())
