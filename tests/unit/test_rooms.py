"""Imports run one way: ``app.bot -> app.core <- app.worker``, and the core knows no framework."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"

FORBIDDEN = {
    "core": {"app.bot", "app.worker", "aiogram", "httpx", "fal_client"},
    "bot": {"app.worker", "fal_client"},
    "worker": {"app.bot", "aiogram"},
}


def imported(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module}: relative imports hide which room is entered"
            yield node.module


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    modules = sorted((APP / room).rglob("*.py"))
    assert modules
    trespasses = [
        f"{module.relative_to(APP)} imports {name}"
        for module in modules
        for name in imported(module)
        if any(name == root or name.startswith(f"{root}.") for root in FORBIDDEN[room])
    ]
    assert not trespasses
