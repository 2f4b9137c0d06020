"""What a VPS takes over from the machine's own configuration."""

import pytest

from tests.lab.errors import LabError
from tests.lab.machine import Mirror, parse_index_targets, parse_pip_settings


def test_debians_own_archives_are_picked_among_others() -> None:
    listing = (
        "Google Cloud SDK|https://sdk.example/apt/\n"
        "Debian|http://first.example/debian/\n"
        "Debian|http://first.example/debian/\n"
        "Debian Backports|http://first.example/debian/\n"
        "Debian-Security|http://first.example/debian-security/\n"
        "Debian|http://second.example/debian/\n"
    )
    assert parse_index_targets(listing) == Mirror(
        "http://first.example/debian/", "http://first.example/debian-security/"
    )


def test_a_mirror_that_only_this_machine_can_read_is_passed_over() -> None:
    assert parse_index_targets("Debian|cdrom://disc/\nDebian|https://mirror.example/debian/\n") == Mirror(
        "https://mirror.example/debian/", None
    )


def test_no_debian_mirror_is_an_error_with_its_cure() -> None:
    with pytest.raises(LabError, match="apt-get update"):
        parse_index_targets("Example|http://other.example/\n")


def test_pip_looks_where_the_machines_pip_looks() -> None:
    listing = (
        "global.index-url='https://index.example/simple'\n"
        "global.trusted-host='index.example'\n"
        ":env:.default-timeout='180'\n"
    )
    assert parse_pip_settings(listing, has_authorities=False) == (
        "[global]\ndefault-timeout = 180\nindex-url = https://index.example/simple\ntrusted-host = index.example\n"
    )


def test_paths_of_this_machine_stay_here() -> None:
    listing = (
        "global.cert='/home/someone/ca.pem'\n"
        "global.find-links='/srv/wheels'\n"
        "global.extra-index-url='file:///srv/simple https://extra.example/simple'\n"
        "global.index-url='file:///srv/simple'\n"
        "freeze.timeout='10'\n"
    )
    assert parse_pip_settings(listing, has_authorities=False) == (
        "[global]\nextra-index-url = https://extra.example/simple\n"
    )


def test_own_authorities_point_pip_at_the_vps_bundle() -> None:
    assert parse_pip_settings("", has_authorities=True) == ("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n")


def test_nothing_to_say_makes_no_pip_conf() -> None:
    assert parse_pip_settings("", has_authorities=False) == ""
