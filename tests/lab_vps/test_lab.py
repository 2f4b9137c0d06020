"""The lab with real VPSs: needs root and what `python -m tests.lab check` names."""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import processes
from tests.lab.errors import LabError
from tests.lab.lab import CHECKOUT, Lab
from tests.lab.machine import read_machine
from tests.lab.network import BRIDGE_ADDRESS, NAMESPACE_CONFIGURATION
from tests.lab.vps import KERNEL

pytestmark = pytest.mark.vps

LAB = "labtest"
COMMAND = [sys.executable, "-m", "tests.lab", "--lab", LAB]
FETCH = "import urllib.request, sys; print(urllib.request.urlopen(sys.argv[1], timeout=60).status)"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab with the VPSs `one` (Debian 13) and `two` (Debian 12); the run that began to create `one` was killed."""
    lab = Lab(LAB)
    lab.destroy_all()
    interrupted = subprocess.Popen([*COMMAND, "create", "one"], cwd=CHECKOUT)
    wait_for(lambda: any(vps.is_running() for vps in lab.vps()) or interrupted.poll() is not None)
    interrupted.kill()
    interrupted.wait()
    with ThreadPoolExecutor() as pool:
        one = pool.submit(lab.create, "one")
        two = pool.submit(lab.create, "two", distribution="bookworm")
        one.result()
        two.result()
    yield lab
    lab.destroy_all()


def test_what_an_interrupted_run_began_is_taken_over(lab: Lab) -> None:
    assert [(vps.record.name, vps.record.address) for vps in lab.vps()] == [
        ("one", "10.0.2.11"),
        ("two", "10.0.2.12"),
    ]
    assert all(vps.is_running() for vps in lab.vps())


def test_ssh_passes_on_output_and_exit_status(lab: Lab) -> None:
    done = subprocess.run(
        [*COMMAND, "ssh", "one", "--", "echo to stdout; echo to stderr >&2; exit 7"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("to stdout\n", "to stderr\n", 7)


def test_exec_runs_in_the_labs_network_and_passes_on_the_exit_status(lab: Lab) -> None:
    script = "ip -brief address show br0; echo $IMAGEBOT_LAB_SSH_CONFIG; exit 5"
    done = lab.run("sh", "-c", script, check=False)
    assert BRIDGE_ADDRESS in done.stdout
    assert str(lab.ssh_configuration) in done.stdout
    assert done.returncode == 5


@pytest.mark.parametrize(("name", "version"), [("one", "13"), ("two", "12")])
def test_a_vps_is_a_bare_debian_with_systemd_and_cgroup_v2(lab: Lab, name: str, version: str) -> None:
    assert lab.ssh(name, ". /etc/os-release; echo $ID $VERSION_ID").stdout == f"debian {version}\n"
    assert lab.ssh(name, "systemctl is-system-running").stdout == "running\n"
    assert lab.ssh(name, "stat -fc %T /sys/fs/cgroup").stdout == "cgroup2fs\n"
    assert lab.ssh(name, "hostname").stdout == f"{name}\n"
    assert "kernel" in lab.ssh(name, "journalctl -b -o short --no-pager | head -5").stdout


def test_no_two_vpss_share_a_machine_id(lab: Lab) -> None:
    assert len({lab.ssh(name, "cat /etc/machine-id").stdout for name in ("one", "two")}) == 2


def test_memory_is_the_plans(lab: Lab) -> None:
    total_kib = int(lab.ssh("one", "awk '/^MemTotal/ {print $2}' /proc/meminfo").stdout)
    assert total_kib > 19 * 1024 * 1024


def test_vpss_reach_each_other_the_bridge_and_the_world(lab: Lab) -> None:
    lab.ssh("one", "apt-get update -qq --error-on=any")
    release = f"{read_machine().mirror.main}dists/trixie/Release"
    assert lab.run(sys.executable, "-c", FETCH, release).stdout == "200\n"
    reach = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10)"
    lab.ssh("one", f"python3 -c '{reach}' 10.0.2.12 22")
    listener = [sys.executable, "-m", "http.server", "--bind", BRIDGE_ADDRESS, "8099"]
    with subprocess.Popen(lab.command(*listener), cwd=lab.sockets, stderr=subprocess.DEVNULL) as server:
        answer = f"for _ in $(seq 50); do python3 -c '{FETCH}' http://{BRIDGE_ADDRESS}:8099/ && exit; sleep 0.2; done"
        assert lab.ssh("two", f"{{ {answer}; }} 2>/dev/null").stdout == "200\n"
        server.terminate()


def test_creating_a_running_vps_again_leaves_it_alone(lab: Lab) -> None:
    before = lab.ssh("one", "cat /proc/sys/kernel/random/boot_id").stdout
    lab.create("one")
    assert lab.ssh("one", "cat /proc/sys/kernel/random/boot_id").stdout == before


def boot_id(lab: Lab, name: str) -> str:
    return lab.ssh(name, "cat /proc/sys/kernel/random/boot_id").stdout


def test_a_rebooted_vps_comes_back_with_its_disk(lab: Lab) -> None:
    before = lab.ssh("one", "touch /root/kept; cat /proc/sys/kernel/random/boot_id").stdout
    lab.reboot("one")
    assert boot_id(lab, "one") != before
    lab.ssh("one", "test -e /root/kept")


def test_a_power_cut_keeps_what_was_flushed_and_nothing_else_is_promised(lab: Lab) -> None:
    before, address = boot_id(lab, "two"), lab.get("two").record.address
    lab.ssh("two", "echo flushed >/root/flushed; sync /root/flushed /root; echo cached >/root/cached")
    lab.cut_power("two")
    with pytest.raises(LabError, match="no VPS two runs"):
        lab.ssh("two", "true")
    vps, *_ = lab.power_on("two")
    assert vps.record.address == address
    assert boot_id(lab, "two") != before
    assert lab.ssh("two", "cat /root/flushed").stdout == "flushed\n"
    # Its kernel had it in memory only: ext4 gives a new file its place on the disk seconds later.
    assert lab.ssh("two", "cat /root/cached", check=False).stdout == ""


def test_powering_on_a_running_vps_leaves_it_alone(lab: Lab) -> None:
    before = boot_id(lab, "two")
    lab.power_on("two")
    assert boot_id(lab, "two") == before


def reaches(address: str) -> str:
    """Return the command that tells whether a VPS gets an answer from the port of ssh at an address."""
    return f"timeout 5 bash -c '</dev/tcp/{address}/22' 2>/dev/null && echo yes || echo no"


def test_an_unplugged_vps_is_reached_by_nobody_until_it_is_plugged_in(lab: Lab) -> None:
    lab.unplug("two")
    assert lab.ssh("one", reaches("10.0.2.12")).stdout == "no\n"
    lab.plug("two")
    assert lab.ssh("one", reaches("10.0.2.12")).stdout == "yes\n"
    lab.ssh("two", "true")


def test_without_the_uplink_vpss_reach_each_other_and_not_the_world(lab: Lab) -> None:
    script = f"""
        sleep 2
        {reaches("10.0.2.12")}
        timeout 5 bash -c '</dev/tcp/{BRIDGE_ADDRESS}/8099' 2>/dev/null && echo yes || echo no
    """
    listener = [sys.executable, "-m", "http.server", "--bind", "0.0.0.0", "8099"]
    with subprocess.Popen(lab.command(*listener), cwd=lab.sockets, stderr=subprocess.DEVNULL) as server:
        local = [sys.executable, "-c", FETCH, "http://127.0.0.1:8099/"]
        wait_for(lambda: lab.run(*local, check=False).stdout == "200\n")
        reached = f"python3 -c '{FETCH}' http://{BRIDGE_ADDRESS}:8099/"
        assert lab.ssh("one", reached).stdout == "200\n"
        lab.ssh("one", f"systemd-run --quiet --unit=looks bash -c {shlex.quote(f'({script}) >/root/seen')}")
        lab.cut_uplink()
        assert lab.run(*local).stdout == "200\n"
        time.sleep(10)  # the VPS looks meanwhile; it can't be asked
        lab.mend_uplink()
        wait_for(lambda: lab.ssh("one", "systemctl is-active looks", check=False).stdout == "inactive\n")
        assert lab.ssh("one", "cat /root/seen").stdout == "yes\nno\n"
        assert lab.ssh("one", reached).stdout == "200\n"
        server.terminate()
    lab.ssh("one", "apt-get update -qq --error-on=any")


def test_a_killed_vps_is_told_dead_and_replaced_by_a_fresh_one(lab: Lab) -> None:
    lab.ssh("one", "touch /root/kept")
    vps = lab.get("one")
    for pid in processes.find(KERNEL, vps.mark):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not vps.is_running())
    with pytest.raises(LabError, match=r"no VPS one runs in lab labtest \(running: two\)"):
        lab.ssh("one", "true")
    lab.create("one")
    assert lab.ssh("one", "test -e /root/kept", check=False).returncode == 1


def test_destroying_one_leaves_the_other(lab: Lab) -> None:
    vps = lab.get("two")
    lab.destroy("two", "no-such-vps")
    assert vps.processes() == []
    assert not vps.disk.exists()
    assert [vps.record.name for vps in lab.vps() if vps.is_running()] == ["one"]


def test_destroying_all_removes_every_trace(lab: Lab) -> None:
    vps = lab.get("one")
    background = subprocess.Popen(lab.command("sleep", "1000"))
    lab.ssh("one", "true")
    lab.destroy_all()
    assert background.wait() != 0
    assert vps.processes() == []
    assert processes.find("slirp4netns", str(lab.network.path)) == []
    assert processes.find_titled(f"ssh: {vps.control_path} [mux]") == []
    for trace in (lab.directory, lab.sockets, lab.network.path, NAMESPACE_CONFIGURATION / lab.network.name):
        assert not trace.exists()


def test_an_interrupted_build_leaves_no_tree_that_is_used(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    debootstrap = programs / "debootstrap"
    debootstrap.write_text("#!/bin/sh\ntouch $CALLED; sleep 3; exit 1\n")
    debootstrap.chmod(0o755)
    called = tmp_path / "called"
    cache = tmp_path / "cache" / "imagebot-lab"
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLED": str(called),
        "XDG_CACHE_HOME": str(cache.parent),
    }
    command = [*COMMAND, "create", "never"]

    builder = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    wait_for(called.exists)
    builder.kill()
    builder.wait()
    left_over = next(cache.glob("*.building"))
    with next(cache.glob("*.lock")).open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    again = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert again.stderr.startswith("lab: debootstrap of trixie failed: ")
    assert again.stderr.count("\n") == 1
    assert not left_over.exists()
    assert list(cache.glob("*.img")) == []
    shutil.rmtree(Lab(LAB).directory, ignore_errors=True)
