"""A host as the plan has it, and the least an operator must say; the secrets open nothing but what tests start."""

from typing import Any, Final

HOST: Final[dict[str, Any]] = {
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
        "dns": {"nameservers": ["10.0.0.2", "fe80::1%eth0"]},
        "imagebot_release": "0123456789ab",
    },
}
VAULT: Final[dict[str, Any]] = {
    "telegram_token": "123456789:AA-a-token-that-opens-nothing-at-all",
    "fal_key": "00000000-0000-0000-0000-000000000000:secret",
    "redis_passwords": {user: f"password-of-{user:-<9}" for user in ("bot", "worker", "operator", "exporter")},
}
