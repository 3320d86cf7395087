"""Whether this machine can run a cloud: `python -m cloud.possible ARGS`, with the arguments of `make cloud`.

`make cloud` asks before it downloads anything, so this module and what it imports need only the standard library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cloud.addresses import PortTaken, chosen_addresses
from cloud.arguments import read_arguments
from cloud.deployment.terraform import finding
from cloud.machines.kinds import NSPAWN, PLAYED
from cloud.machines.nspawn.debian_root import cannot_boot

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where machines look for programs."""
PROGRAMS = ("bash", "curl", "awk", "timeout", "pkill", "tar", "install", "du", "df", "unshare")
LONGEST_FOLDER = 72
"""Bytes. A socket of a machine is 35 bytes deeper (`machines/i-0123456789abcdef0/calls`), and the kernel takes 107."""


class CannotRun(Exception):
    """This machine cannot run a cloud. `str()` says why, and what to do."""


def main(line: Sequence[str]) -> int:
    """Return 0 if a cloud can run here, 1 if not; standard error says why. 2: the command line is wrong."""
    arguments = read_arguments(line)
    try:
        check(arguments.folder, arguments.machines)
        check_creating()
        chosen_addresses(arguments.port, arguments.https_port)
    except (CannotRun, PortTaken) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(folder: Path, machines: str) -> None:
    """Check the system and its programs for machines of a kind, and the folder of the cloud, as an absolute path.

    Raises:
        CannotRun: something is missing or forbidden.
    """
    if problem := no_machines():
        raise CannotRun(problem)
    if machines == NSPAWN and (problem := cannot_boot()):
        raise CannotRun(f'{problem}. Or have machines that need none of it: make cloud ARGS="--machines {PLAYED}"')
    if len(os.fsencode(folder)) > LONGEST_FOLDER:
        raise CannotRun(
            f"{folder}: the path is longer than {LONGEST_FOLDER} bytes, and the sockets of machines do not fit into "
            'it. Choose another folder: make cloud ARGS="--folder /tmp/cloud"'
        )
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise CannotRun(
            f'{folder}: this user cannot write to {above}. Choose another folder: make cloud ARGS="--folder /tmp/cloud"'
        )


def check_creating() -> None:
    """Check that something here can create resources.

    Raises:
        CannotRun: there is neither `pulumi` nor HashiCorp's provider.
    """
    problem = finding.problem()
    if problem is not None and not has_pulumi():
        raise CannotRun(nothing_creates(f"the pulumi command is not on PATH, and {problem}"))


def nothing_creates(why: str) -> str:
    """The sentences for a machine on which nothing can create resources."""
    return f"{why}. Or install Pulumi: curl -fsSL https://get.pulumi.com | sh"


def has_pulumi() -> bool:
    """Whether the `pulumi` command is here, with what it runs programs in Python with."""
    return shutil.which("pulumi") is not None and shutil.which("pulumi-language-python") is not None


def no_machines() -> str | None:
    """Return why machines cannot run here, and what to do; `None`: they can."""
    if sys.platform != "linux":
        return "make cloud needs Linux, whose namespaces it uses for machines. Run it in a virtual machine with Linux"
    if missing := [name for name in PROGRAMS if shutil.which(name, path=SYSTEM_PATH) is None]:
        return f"make cloud needs {', '.join(missing)}: install them with the package manager of this system"
    separate = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "true"]
    if os.geteuid() != 0:
        separate[1:1] = ["--user", "--map-root-user"]
    done = subprocess.run(separate, capture_output=True, text=True, env={**os.environ, "PATH": SYSTEM_PATH})
    if done.returncode == 0:
        return None
    return (
        "make cloud runs containers, which need namespaces of the kernel, and this user cannot make them "
        f"({done.stderr.strip()}): run it as root, or allow user namespaces "
        "(sysctl kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, sysctl user.max_user_namespaces=10000 where "
        "it is 0, --privileged in a container of docker)"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
