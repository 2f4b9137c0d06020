"""Scripts that Redis runs: each is a file in the directory ``lua`` beside the module that registers it.

A file begins with what it includes, libraries in ``lib`` beside it or in ``app/core/lua/lib``, and then names its
parameters::

    #!lua flags=allow-oom
    -- include: clock
    local lock, owner = KEYS[1], ARGV[1]

``allow-oom``: it runs while Redis' memory is full. Only what lets new work in must not: all else frees memory, or
keeps what has been done from being done again. A file says what it needs; nothing is filled into its text.
"""

from functools import cache
from pathlib import Path
from typing import Final

_INCLUDE: Final = "-- include: "
_LIBRARIES: Final = Path(__file__).parent / "lua" / "lib"


@cache
def load(module_file: str, name: str) -> str:
    """Return the script ``name`` of the module ``module_file``, with its libraries before it.

    Files are found without ``importlib.resources``, whose import takes longer than all of ``app.worker.after_death``.
    """
    directory = Path(module_file).parent / "lua"
    flags, include, rest = _parts((directory / f"{name}.lua").read_text())
    return flags + "".join(_library(directory, library) for library in include) + rest


def _parts(text: str) -> tuple[str, list[str], str]:
    flags, rest = "", text
    if text.startswith("#!"):
        flags, _, rest = text.partition("\n")
        flags += "\n"
    if not rest.startswith(_INCLUDE):
        return flags, [], rest
    include, _, rest = rest.removeprefix(_INCLUDE).partition("\n")
    return flags, include.split(), rest


def _library(directory: Path, name: str) -> str:
    own = directory / "lib" / f"{name}.lua"
    return (own if own.exists() else _LIBRARIES / f"{name}.lua").read_text()
