"""A lab's names, addresses and answers to mistakes, without a VPS."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import host_check, processes, ssh
from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab, free_host, namespace_name
from tests.lab.network import Network, address_of
from tests.lab.vps import Record, Vps


def vps(directory: Path, name: str, host: int, boot: str = "b00t") -> Vps:
    record = Record(name, host, "trixie", "20G", "8G", boot)
    return Vps(record, directory, directory / "sockets", Network("imagebot-unit", directory / "log"))


def test_two_checkouts_and_two_labs_have_namespaces_of_their_own() -> None:
    names = {
        namespace_name(Path("/one/checkout"), "demo"),
        namespace_name(Path("/another/checkout"), "demo"),
        namespace_name(Path("/one/checkout"), "molecule"),
    }
    assert len(names) == 3


def test_addresses_are_given_in_order_and_again_when_free() -> None:
    assert address_of(free_host(set())) == "10.0.2.11"
    assert address_of(free_host({11, 12})) == "10.0.2.13"
    assert address_of(free_host({11, 13})) == "10.0.2.12"


def test_a_full_lab_says_so() -> None:
    with pytest.raises(LabError, match="destroy a VPS first"):
        free_host(set(range(11, 255)))


@pytest.mark.parametrize("name", ["", "Web", "a/b", "-x", "x" * 21, "a b"])
def test_a_name_that_cannot_be_a_host_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="not a name"):
        Lab(name)


def test_the_vpss_are_known_from_their_records(tmp_path: Path) -> None:
    lab = Lab("unit", tmp_path)
    lab.directory.mkdir(parents=True)
    vps(lab.directory, "second", 12).save()
    vps(lab.directory, "first", 11).save()
    assert [vps.record.name for vps in lab.vps()] == ["first", "second"]
    assert not any(vps.is_running() for vps in lab.vps())


@pytest.mark.parametrize("program", ["ip", "sh"])
def test_a_vps_runs_from_the_moment_that_its_keeper_enters_the_network(tmp_path: Path, program: str) -> None:
    web = vps(tmp_path, f"web-{program}", 11)
    command = [program, "-c", "import time; time.sleep(60)", web.mark]
    with subprocess.Popen(command, executable=sys.executable) as keeper:
        assert web.is_running()
        assert web.processes() == [keeper.pid]
        keeper.kill()
    assert not web.is_running()


def test_a_keeper_that_is_just_becoming_another_program_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([[], [], [], [4711], []])  # two programs are looked for, the second look finds the first
    monkeypatch.setattr(processes, "find", lambda *_: next(looks))
    assert vps(tmp_path, "web", 11).is_running()


def test_logging_in_to_a_vps_that_is_not_there_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"no VPS web runs in lab unit \(running: none\); create it first"):
        Lab("unit", tmp_path).ssh_command("web")


def test_a_vps_that_was_never_created_cannot_be_powered_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Network, "up", lambda network: None)
    with pytest.raises(LabError, match="no VPS web with a disk in lab unit; create it first"):
        Lab("unit", tmp_path).power_on("web")


def test_every_boot_has_a_control_path_of_its_own(tmp_path: Path) -> None:
    assert vps(tmp_path, "web", 11, "one").control_path != vps(tmp_path, "web", 11, "two").control_path


def test_ssh_knows_each_vps_by_name_and_by_address() -> None:
    text = ssh.configuration([("web", "10.0.2.11", Path("/run/web.sock"))], Path("/lab/key"))
    assert "Host web 10.0.2.11\n  HostName 10.0.2.11\n  ControlPath /run/web.sock\n" in text
    assert text.index("Host web") < text.index("Host *")
    assert "  IdentityFile /lab/key\n" in text


def test_a_machine_that_lacks_everything_hears_it_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(host_check, "TUN_DEVICE", Path("/nonexistent"))
    monkeypatch.setattr("shutil.which", lambda program, path: None)
    told = "; ".join(host_check.missing())
    for need in ("amd64", "root", "/nonexistent", "debootstrap", "user-mode-linux", "slirp4netns", "iproute2"):
        assert need in told


def test_root_without_network_namespaces_hears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(host_check, "can_make_network_namespaces", lambda: False)
    assert any("network namespaces" in need for need in host_check.missing())


def test_a_mistake_is_one_line_and_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "--lab", "unit-no-such", "destroy"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "lab: destroy what? Give names, or --all\n"
