"""What people see while processes die and the power fails: the short form of `make faults TARGET=vps`."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from tests.faults.vps.chaos import VpsChaosTest
from tests.faults.vps.plan import SHORT
from tests.lab.lab import Lab


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the chaos test over the host that is there; return what was counted."""
    output: Path = tmp_path_factory.mktemp("chaos")
    return asyncio.run(VpsChaosTest(Lab(os.environ["IMAGEBOT_LAB"]), SHORT, output).run())


def test_everybody_gets_one_picture_or_one_sentence_for_each_prompt(counts: dict[str, Any]) -> None:
    assert counts["prompts"] > 40
    assert (counts["lost"], counts["seen_twice"], counts["wrong_picture"]) == (0, 0, 0), "\n\n".join(
        counts["stories"]
    )


def test_nothing_is_paid_for_twice(counts: dict[str, Any]) -> None:
    assert counts["billed_twice"] == 0


def test_everything_runs_afterwards_and_nothing_is_left_over(counts: dict[str, Any]) -> None:
    assert counts["not_running"] == []
    assert counts["left"] == {"queued": 0, "leased": 0, "states": {}}
    assert [name for name in counts["counters"] if name.startswith("healed")] == []


def test_enough_has_died(counts: dict[str, Any]) -> None:
    assert counts["kills"]["imageworker"] > 0  # how many depends on how soon the machine can start new ones
    assert counts["kills"]["imagebot"] > 0
    assert counts["kills"]["redis-server@queue"] == 1
