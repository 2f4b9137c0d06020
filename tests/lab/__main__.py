"""The lab's command line: `python -m tests.lab --help`."""

import argparse
import os
import sys
from collections.abc import Sequence

from tests.lab import host_check
from tests.lab.base_tree import DISTRIBUTIONS
from tests.lab.errors import LabError
from tests.lab.lab import Lab

FAULTS = {
    "power-cut": "end VPSs at once, without a sync; their disks stay",
    "power-on": "boot ended VPSs from their own disks, and wait until they are up",
    "reboot": "have VPSs reboot, and wait until they are up",
    "unplug": "take VPSs off the network",
    "plug": "put them back",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(prog="tests.lab", description="Throwaway Debian VPSs on this machine.")
    top.add_argument("--lab", default=os.environ.get("IMAGEBOT_LAB", "demo"), help="name of the lab (%(default)s)")
    commands = top.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="boot VPSs and wait until they are up")
    create.add_argument("name", nargs="+")
    create.add_argument("--distribution", choices=DISTRIBUTIONS, default="trixie")
    create.add_argument("--memory", default="20G", help="only what is used is taken from the machine (%(default)s)")
    create.add_argument("--disk", default="20G", help="only what is used is taken from the machine (%(default)s)")
    for name, told in FAULTS.items():
        commands.add_parser(name, help=told).add_argument("name", nargs="+")
    uplink = commands.add_parser("uplink", help="take the world and the simulators from all VPSs, or give them back")
    uplink.add_argument("state", choices=("cut", "mend"))
    commands.add_parser("list", help="tell name, address, distribution and state of each VPS")
    ssh = commands.add_parser("ssh", help="log in, or run one command and pass on its output and exit status")
    ssh.add_argument("name")
    ssh.add_argument("remote", nargs="*", metavar="-- COMMAND")
    destroy = commands.add_parser("destroy", help="remove VPSs; --all removes every trace of the lab")
    destroy.add_argument("name", nargs="*")
    destroy.add_argument("--all", action="store_true")
    inside = commands.add_parser("exec", help="run a command on this machine, but in the lab's network")
    inside.add_argument("inside", nargs="+", metavar="-- COMMAND")
    outside = commands.add_parser("outside", help="start the simulated Telegram and fal.ai beside the VPSs")
    outside.add_argument("fal_argument", nargs="*", metavar="-- ARGUMENT", help="for the simulated fal.ai")
    commands.add_parser("check", help="tell what this machine lacks to host a VPS; exit status 1 if anything")
    return top


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says; return the exit status."""
    options = parser().parse_args(arguments)
    lab = Lab(options.lab)
    if options.command == "create":
        memory, disk = options.memory, options.disk
        for vps in lab.create(*options.name, distribution=options.distribution, memory=memory, disk=disk):
            print(f"{vps.record.name} is up at {vps.record.address}")
    elif options.command in FAULTS:
        {
            "power-cut": lab.cut_power,
            "power-on": lab.power_on,
            "reboot": lab.reboot,
            "unplug": lab.unplug,
            "plug": lab.plug,
        }[options.command](*options.name)
    elif options.command == "uplink":
        (lab.cut_uplink if options.state == "cut" else lab.mend_uplink)()
    elif options.command == "list":
        for vps in lab.vps():
            state = "running" if vps.is_running() else "dead"
            print(f"{vps.record.name}\t{vps.record.address}\t{vps.record.distribution}\t{state}")
    elif options.command == "ssh":
        _become(lab, lab.ssh_command(options.name, *options.remote))
    elif options.command == "destroy":
        if options.all:
            lab.destroy_all()
        elif options.name:
            lab.destroy(*options.name)
        else:
            raise LabError("destroy what? Give names, or --all")
    elif options.command == "exec":
        _become(lab, lab.command(*options.inside))
    elif options.command == "outside":
        from tests.lab.outside import Outside  # it needs more than Python itself has; the lab does not

        world = Outside(lab)
        world.up(*options.fal_argument)
        print(f"Telegram (simulated) at {world.telegram_url}, fal.ai (simulated) at {world.fal_url}")
    elif lacking := host_check.missing():
        print("; ".join(lacking))
        return 1
    return 0


def _become(lab: Lab, command: list[str]) -> None:
    # Not a child: signals, the terminal and the exit status then need no passing on.
    os.execvpe(command[0], command, lab.environment())  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as error:
        sys.exit(f"lab: {error}")
