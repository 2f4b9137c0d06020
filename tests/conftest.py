"""How long a test may take, its fixtures included: what hangs fails."""

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
LIMITS: Final = {
    "integration/bench": 600,
    "integration/faults": 600,
    "integration": 180,
    "lab_vps": 1800,
    "molecule": 1800,
    "unit": 60,
}
"""Seconds by directory, the closest first; ``pyproject.toml`` has the limit of all others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the limit of its directory, unless it has one of its own."""
    for item in items:
        limit = next((LIMITS[name] for name in LIMITS if (TESTS / name) in item.path.parents), None)
        if limit and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(limit))
