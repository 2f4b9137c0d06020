"""What each of Redis' users may do, rule by rule: one more or one less is a decision, made here too."""

import hashlib

import pytest

from tests.support.inventory import VAULT
from tests.support.roles import value

EVERYTHING = "~* &* +@all"
APPLICATION = "&rq:* -@all +@all -@dangerous -@admin +info"
EXPORTER = (
    "-@all +ping +info +config|get +client|setname +latency|latest +slowlog|len +slowlog|get +llen +zcard +type"
    " %R~rq:queue:*"
)
RULES = {
    "queue": {
        "default": EVERYTHING,  # Redis replays its append-only file as this user
        "bot": f"~rq:* ~imagebot:* {APPLICATION}",
        "worker": f"~rq:* ~imagebot:* {APPLICATION}",
        "operator": EVERYTHING,
        "exporter": EXPORTER,
    },
    "cache": {
        "default": EVERYTHING,
        "bot": f"~imagebot:* {APPLICATION}",
        "worker": f"~imagebot:* {APPLICATION}",
        "operator": EVERYTHING,
        "exporter": EXPORTER,
    },
}


def acl(instance: str) -> str:
    path = f"/etc/redis/users-{instance}.acl"
    return str(next(file["content"] for file in value("redis", "_redis_secret_files") if file["path"] == path))


@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_every_user_may_do_exactly_this_and_needs_a_password(instance: str) -> None:
    passwords = VAULT["redis_passwords"] | {"default": VAULT["redis_passwords"]["operator"]}
    assert acl(instance).splitlines() == [
        f"user {user} on #{hashlib.sha256(passwords[user].encode()).hexdigest()} {rules}"
        for user, rules in RULES[instance].items()
    ]


@pytest.mark.parametrize("instance", ["queue", "cache"])
def test_redis_knows_only_hashes_of_passwords(instance: str) -> None:
    assert not [password for password in VAULT["redis_passwords"].values() if password in acl(instance)]
