"""What a role offers stands in its defaults and, option for option, in its argument specification."""

from typing import Any

import pytest

from tests.support.roles import ALL_ROLES, ROLES, read

TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "float": (int, float),
    "int": int,
    "bool": bool,
    "list": list,
    "dict": dict,
}
SECRETS = ("_token", "_secret", "_fal_key", "_password", "_passwords")


def options(role: str) -> dict[str, Any]:
    return dict(read(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"])


@pytest.mark.parametrize("role", ALL_ROLES)
def test_defaults_and_specification_agree(role: str) -> None:
    specified = {name: option["default"] for name, option in options(role).items()}
    assert specified == read(role, "defaults/main.yml")


@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_default_has_the_type_it_is_specified_with(role: str) -> None:
    wrong = {
        name
        for name, option in options(role).items()
        if not isinstance(option["default"], TYPES[option["type"]]) and "{{" not in str(option["default"])
    }
    assert not wrong


@pytest.mark.parametrize("role", ALL_ROLES)
def test_every_option_is_described_and_carries_the_prefix_of_its_role(role: str) -> None:
    assert all(option["description"] for option in options(role).values())
    assert all(name.startswith(f"{role}_") for name in options(role))


@pytest.mark.parametrize("role", ALL_ROLES)
def test_secrets_are_kept_out_of_logs_and_have_no_value_of_their_own(role: str) -> None:
    secrets = {name: option for name, option in options(role).items() if name.endswith(SECRETS)}
    assert all(option.get("no_log") and "{{" in option["default"] for option in secrets.values())


@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_role_says_what_it_is_for(role: str) -> None:
    assert 5 <= len((ROLES / role / "README.md").read_text().splitlines()) <= 30
