"""``python -m tests.faults.vps``: what ``make faults TARGET=vps`` runs."""

import argparse
import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.faults.vps.chaos import VpsChaosTest, missed
from tests.faults.vps.host import ChaosTestError, in_the_lab, provision
from tests.faults.vps.plan import LONG, SHORT
from tests.lab import host_check
from tests.lab.base_tree import DISTRIBUTIONS
from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab

PLANS = {"long": LONG, "short": SHORT}


def table(counts: dict[str, Any], distribution: str) -> str:
    """Return the counts as a Markdown table."""
    sentences = ", ".join(f"{count} “{text}”" for text, count in counts["sentences"].items()) or "none"
    healed = {name: count for name, count in counts["counters"].items() if name.startswith("healed")}
    rows = {
        "prompts": f"{counts['prompts']} of {counts['people']} people",
        "answered by a picture": counts["pictures"],
        "answered by a sentence": sentences,
        "messages answered before the last kill": f"{counts['answered_meanwhile']} of {counts['messages']}",
        "waited for an answer": f"{counts['wait_p50_s']:.0f} s in the median, {counts['wait_max_s']:.0f} s at most",
        "lost": counts["lost"],
        "seen twice": counts["seen_twice"],
        "billed twice": counts["billed_twice"],
        "billed and never seen": counts["billed_unseen"],
        "stray texts": len(counts["stray_texts"]),
        "longest in nobody's hands": f"{counts['longest_gap_s']:.1f} s",
        "the same where Redis was away meanwhile": f"{counts['longest_gap_redis_away_s']:.1f} s",
        "units that don't run": ", ".join(counts["not_running"]) or "none",
        "kills": ", ".join(f"{count} {what}" for what, count in counts["kills"].items()),
        "healed by the sweeper": ", ".join(f"{count} {name}" for name, count in healed.items()) or "none",
    }
    lines = [f"| {name} | {figure} |" for name, figure in rows.items()]
    return "\n".join([f"| figure | {distribution} |", "|---|---|", *lines])


def run(lab: Lab, options: argparse.Namespace) -> int:
    """Provision, run the chaos test, tell; return the exit status."""
    of = "" if options.release == CHECKOUT else f"-{options.release.name}"
    output = CHECKOUT / "build" / "faults" / f"{options.distribution}{of}"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    if not options.again:
        lab.destroy("vps1", "nfs1")
    print(f"... two VPSs ({options.distribution}) boot, and site.yml provisions them", flush=True)
    provision(lab, options.release, options.distribution, output)
    print("... the chaos test begins", flush=True)
    chaos = VpsChaosTest(lab, PLANS[options.plan], output, lambda line: print(line, flush=True))
    counts = asyncio.run(chaos.run())
    (output / "counts.json").write_text(json.dumps(counts, indent=1) + "\n")
    print("\n\n".join(["", *counts["stories"], f"{report.machine()}.", table(counts, options.distribution), ""]))
    for goal in missed(counts):
        print(f"missed: {goal}")
    if not options.keep:
        lab.destroy_all()
    return int(bool(missed(counts)))


def main() -> int:
    """Do what the command line says; return the exit status: 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description="Faults on a VPS under load, counted by what people see")
    parser.add_argument("--distribution", choices=DISTRIBUTIONS, default="trixie")
    parser.add_argument("--release", type=Path, default=CHECKOUT, help="checkout to provision from (this one)")
    parser.add_argument("--plan", choices=PLANS, default="long")
    parser.add_argument("--keep", action="store_true", help="leave the VPSs running afterwards")
    parser.add_argument("--again", action="store_true", help="use those that run")
    lab = Lab("chaos")
    try:
        if lacking := host_check.missing():
            raise LabError(f"this machine can't host a VPS; it lacks {'; '.join(lacking)}")
        options = parser.parse_args()
        if not in_the_lab(lab):
            command = lab.command(sys.executable, "-m", "tests.faults.vps", *sys.argv[1:])
            os.execvpe(command[0], command, lab.environment())  # noqa: S606 - no shell is the point
        return run(lab, options)
    except (LabError, ChaosTestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
