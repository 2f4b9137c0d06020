"""The figures for people: tables and charts in docs/benchmarks.md, JSON in build/bench."""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.chart import line_chart
from tests.bench.measure import Result
from tests.stack.stack import ROOT

OUTPUT: Final = ROOT / "build" / "bench"
DOCS: Final = ROOT / "docs"
PAGE: Final = DOCS / "benchmarks.md"

_COLUMNS: Final = {
    "arrivals_per_s": ("jobs/s", "g"),
    "jobs_offered": ("offered", ".0f"),
    "jobs_done": ("done", ".0f"),
    "queue_max": ("queue at most", ".0f"),
    "wait_p50_s": ("wait p50, s", ".2f"),
    "wait_p95_s": ("wait p95, s", ".2f"),
    "added_delay_mean_s": ("delay mean, s", ".2f"),
    "added_delay_p50_s": ("p50", ".2f"),
    "added_delay_p95_s": ("p95", ".2f"),
    "polls_per_job": ("polls a job", ".1f"),
    "requests_per_s": ("requests/s", ".1f"),
    "cpu_ms_per_job": ("CPU a job, ms", ".0f"),
    "rss_max_mb": ("MB a worker", ".0f"),
    "rss_total_mb": ("MB in all", ".0f"),
}


def machine() -> str:
    """Say in a few words where the figures come from."""
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}, load {load:.1f} over the last five minutes"


def table(results: Sequence[Result]) -> str:
    """Return a Markdown table with a row for each system and rate."""
    head = ["system", *(title for title, _ in _COLUMNS.values())]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for result in results:
        for name, row in result.rows.items():
            cells = [format(row[column], form) for column, (_, form) in _COLUMNS.items()]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def charts(results: Sequence[Result]) -> dict[str, str]:
    """Return the charts by file name: queue depth over time, of both systems and of ours at every rate."""
    both = [result for result in results if len(result.depths) > 1]
    drawn = {}
    if both:
        top = both[-1]
        rate = next(iter(top.rows.values()))["arrivals_per_s"]
        drawn["benchmarks-queue.svg"] = line_chart(
            f"Jobs that wait for a worker, {rate:g} jobs/s arriving", "seconds", "jobs in the queues", top.depths
        )
    drawn["benchmarks-queue-ours.svg"] = line_chart(
        "Jobs that wait for one of our workers",
        "seconds",
        "jobs in the queues",
        {f"{result.rows['ours']['arrivals_per_s']:g} jobs/s": result.depths["ours"] for result in results},
    )
    return drawn


def as_json(results: Sequence[Result], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results as ``build/bench/worker.json`` holds them."""
    systems = {name: [result.rows[name] for result in results if name in result.rows] for name in ("stock", "ours")}
    return {
        **{
            name: [{column: round(value, 3) for column, value in row.items()} for row in rows]
            for name, rows in systems.items()
        },
        "about": dict(about),
        "queue_over_time": [result.depths for result in results],
    }


def save(name: str, content: Mapping[str, Any], charts: Mapping[str, str]) -> None:
    """Write a JSON file and charts into build/bench."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / name).write_text(json.dumps(content, indent=1) + "\n")
    for chart, drawing in charts.items():
        (OUTPUT / chart).write_text(drawing)


def write_docs(section: str, text: str, charts: Mapping[str, str]) -> None:
    """Put a text between the marks of a section of docs/benchmarks.md, and charts beside the page."""
    for chart, drawing in charts.items():
        (DOCS / chart).write_text(drawing)
    page = PAGE.read_text()
    marks = (f"<!-- {section}: measured -->", f"<!-- end of {section} -->")
    pattern = re.compile(re.escape(marks[0]) + ".*?" + re.escape(marks[1]), re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"{PAGE.name} has no section {section!r}")
    PAGE.write_text(pattern.sub(lambda _: f"{marks[0]}\n{text}\n{marks[1]}", page))


def read(name: str) -> Any:
    """Return a JSON file of build/bench."""
    return json.loads(Path(OUTPUT / name).read_text())
