"""Imports run one way: ``app.bot -> app.core <- app.worker``, and down within ``app.bot``; core has no framework."""

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

BOT_ORDER = (
    "settings",
    "tasks",
    "texts",
    "keyed_executor",
    "takeover",
    "event_reader",
    "result_cache",
    "telegram",
    "users",
    "updates",
    "delivery",
    "refusals",
    "requests",
    "filters",
    "middlewares",
    "handlers",
    "dispatcher",
    "wiring",
    "__main__",
)
"""The modules and packages of ``app.bot``: each imports only those that stand before it."""


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


def test_arrows_within_the_bot_point_down() -> None:
    bot = APP / "bot"
    modules = sorted(path for path in bot.rglob("*.py") if path.relative_to(bot) != Path("__init__.py"))
    places = {path: path.relative_to(bot).with_suffix("").parts[0] for path in modules}
    assert set(places.values()) == set(BOT_ORDER)
    climbs = [
        f"{module.relative_to(APP)} imports {name}"
        for module, place in places.items()
        for name in imported(module)
        if name.startswith("app.bot.")
        and (other := name.split(".")[2]) != place
        and BOT_ORDER.index(other) > BOT_ORDER.index(place)
    ]
    assert not climbs
