"""What a role says, without a host: its files, and its templates rendered with Ansible's own Templar."""

from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

init_plugin_loader()  # else no plugin is found by its full name

CHECKOUT = Path(__file__).resolve().parents[3]
ROLES = CHECKOUT / "roles"
ALL_ROLES = sorted(path.name for path in ROLES.iterdir())

# A host as the plan has it, and the least an operator must say.
HOST: dict[str, Any] = {
    "ansible_managed": "Ansible managed",
    "inventory_hostname": "vps1",
    "group_names": ["bot", "media", "monitoring", "redis", "workers"],
    "ansible_facts": {
        "distribution": "Debian",
        "distribution_version": "13.1",
        "distribution_major_version": "13",
        "architecture": "x86_64",
        "memtotal_mb": 20_086,
        "processor_nproc": 8,
        "imagebot_release": "0123456789ab",
    },
}
VAULT: dict[str, Any] = {
    "telegram_token": "123456789:AA-a-token-that-opens-nothing-at-all",
    "fal_key": "00000000-0000-0000-0000-000000000000:secret",
    "redis_passwords": {user: f"password-of-{user:-<9}" for user in ("bot", "worker", "operator", "exporter")},
}


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
