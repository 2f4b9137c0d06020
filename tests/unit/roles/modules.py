"""Run the project's own Ansible modules in this process."""

import importlib.util
import json
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.support.roles import CHECKOUT


def load(path: str) -> ModuleType:
    """Import a module from its file."""
    file = CHECKOUT / path
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(
    module: ModuleType, capsys: pytest.CaptureFixture[str], check_mode: bool = False, **arguments: Any
) -> dict[str, Any]:
    """Run a module with these arguments and return its result."""
    given = {name: str(value) if isinstance(value, Path) else value for name, value in arguments.items()}
    patched: AbstractContextManager[None] = patch_module_args(given | {"_ansible_check_mode": check_mode})
    with patched, pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result
