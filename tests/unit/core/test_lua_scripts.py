"""What the files of the scripts say of themselves: what they include, and whether they run while Redis is full."""

import re
from pathlib import Path

import pytest

from app.core.lua_scripts import load

APP = Path(__file__).parents[3] / "app"
CORE = APP / "core" / "lua" / "lib"
SCRIPTS = sorted(APP.rglob("lua/*.lua"))
LIBRARIES = sorted(APP.rglob("lua/lib/*.lua"))
DEFINED = re.compile(r"^local (?:function )?([\w, ]+)", re.MULTILINE)
GIVES_NOTHING = {"guard"}
REFUSED_WHILE_FULL = {"add_to_album", "admit", "append_updates", "start_broadcast"}
"""They let new work in."""


def words_of(script: Path) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"--.*|'[^']*'", "", script.read_text())))


def given_by(library: Path) -> set[str]:
    return {name.strip() for names in DEFINED.findall(library.read_text()) for name in names.split(",")}


def included(script: Path) -> list[str]:
    [first, *_] = [line for line in script.read_text().splitlines() if not line.startswith("#!")]
    return first.removeprefix("-- include: ").split() if first.startswith("-- include: ") else []


def test_there_are_scripts_and_libraries() -> None:
    assert len(SCRIPTS) > 30
    assert len(LIBRARIES) > 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_includes_what_it_uses_and_nothing_else(script: Path) -> None:
    libraries = {library.stem: library for library in LIBRARIES if library.parent in (CORE, script.parent / "lib")}
    names = included(script)
    within = words_of(script)
    for name in names:
        within |= words_of(libraries[name]) - given_by(libraries[name])
    assert {name for name in names if not given_by(libraries[name]) & within} <= GIVES_NOTHING
    there = given_by(script).union(*(given_by(libraries[name]) for name in names))
    needed = set().union(*map(given_by, libraries.values())) & words_of(script)
    assert needed <= there


def test_what_is_included_stands_before_the_script_and_after_its_flags() -> None:
    text = load(str(APP / "core" / "requests.py"), "advance")
    assert text.startswith("#!lua flags=allow-oom\n")
    assert text.index("table.remove(ARGV)") < text.index("local function record_of") < text.index("local execution")


def test_exactly_these_scripts_are_refused_while_redis_memory_is_full() -> None:
    refused = {script.stem for script in SCRIPTS if not script.read_text().startswith("#!lua flags=allow-oom\n")}
    assert refused == REFUSED_WHILE_FULL
