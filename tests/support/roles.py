"""What a role says, without a host: its files, and its templates rendered with Ansible's own Templar."""

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

from tests.support.inventory import HOST, VAULT

init_plugin_loader()  # else no plugin is found by its full name

CHECKOUT = Path(__file__).resolve().parents[2]
ROLES = CHECKOUT / "roles"
ALL_ROLES = sorted(path.name for path in ROLES.iterdir())


def read(role: str, path: str) -> dict[str, Any]:
    """Return a YAML file of a role, or nothing if the role has no such file."""
    file = ROLES / role / path
    return yaml.safe_load(file.read_text()) if file.exists() else {}


def trusted(value: Any) -> Any:
    """Mark every string as a template, as Ansible does with what it loads from a role."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def templar(role: str, **variables: Any) -> Templar:
    """Return a Templar that knows a role's variables, an ordinary host, a filled-in vault, and `variables`."""
    known = {"role_path": str(ROLES / role), **HOST, **VAULT}
    known |= trusted(read(role, "defaults/main.yml") | read(role, "vars/main.yml"))
    known["ansible_search_path"] = [str(ROLES / role)]  # where lookup('template', ...) looks
    return Templar(loader=DataLoader(), variables=known | variables)


def value(role: str, name: str, **variables: Any) -> Any:
    """Return a variable of a role as its tasks would see it."""
    return templar(role, **variables).template(trust_as_template(f"{{{{ {name} }}}}"))


def render(role: str, template: str, **variables: Any) -> str:
    """Return a rendered template of a role."""
    expression = f"{{{{ lookup('ansible.builtin.template', '{template}') }}}}"
    return str(templar(role, **variables).template(trust_as_template(expression)))


def settings(text: str) -> dict[str, list[str]]:
    """Return the `Name=value` lines of a unit or environment file; a name may come several times."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, content = line.partition("=")
            found.setdefault(name, []).append(content)
    return found
