"""A machine that boots Debian with systemd: a container of systemd-nspawn, with real docker in it.

Everything that it consists of ends with the process that started it, also if that process is killed. The parent-death
signal of the kernel then ends the first process of a PID namespace, and so every process in it. The mounts end with
their mount namespace. Only the machine's folder remains, and its empty control group.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cloud.machines.nspawn.control_group import ControlGroup
from cloud.machines.nspawn.guest import File
from cloud.machines.nspawn.namespace import NetworkNamespace

FAR_TOO_LONG = 60

# $1: the folder; $2: the file system; $3: megabytes of docker's disk, 0: no limit; $4: the machine's name; then the
# files of its control groups. nspawn's own notes in /run end with the mount namespace too.
_START = """
set -e
folder=$1 root=$2 docker=$3 name=$4
shift 4
for processes in "$@"; do echo 0 >"$processes"; done
mount -t overlay overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" "$folder/mount"
mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
if [ "$docker" != 0 ]; then mount -t tmpfs -o "size=${docker}m" tmpfs "$folder/docker"; fi
exec systemd-nspawn --quiet --directory="$folder/mount" --machine="$name" --boot --console=read-only \
  --register=no --keep-unit --capability=all --private-users=no --resolv-conf=off --timezone=off --link-journal=no \
  --bind="$folder/docker:/var/lib/docker" --network-namespace-path=/proc/self/ns/net
"""
_SETTINGS = {
    "UNIFIED_CGROUP_HIERARCHY": "1",  # the machine has version 2 of control groups, whatever the host has
    "SYSTEMD_SECCOMP": "0",  # docker in it uses calls that nspawn's filter refuses
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1",  # docker writes to /proc/sys and /sys
}
_ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8")


class Machine:
    """A machine that can be started and stopped several times; its disk stays until `close`."""

    def __init__(
        self,
        root: Path,
        namespace: NetworkNamespace,
        files: Mapping[str, File],
        *,
        folder: Path,
        memory_mb: int,
        docker_disk_mb: int = 0,
    ) -> None:
        """Prepare a machine. One whose folder is there already keeps its disk.

        Args:
            root: the file system, which stays as it is.
            namespace: the machine's network.
            files: files of this machine in addition to those of `root`, by path.
            folder: its disk. The last part is the machine's name.
            memory_mb: the most memory that all of its processes have together.
            docker_disk_mb: the size of a disk for docker alone, which is empty at each start. 0: no limit.
        """
        self._root, self._namespace, self._docker_disk_mb, self._folder = root, namespace, docker_disk_mb, folder
        self._group = ControlGroup(folder.name, memory_mb)
        self._process: subprocess.Popen[bytes] | None = None
        is_new = not (folder / "upper").exists()
        for part in ("upper", "work", "mount", "docker"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if is_new:
            for path, file in files.items():
                target = folder / "upper" / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(file.text)
                target.chmod(file.mode)

    def start(self) -> None:
        """Switch the machine on."""
        words = [str(self._folder), str(self._root), str(self._docker_disk_mb), self._folder.name]
        words += map(str, self._group.processes)
        alone = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=KILL"]
        shell = [*alone, "--mount-proc", "/bin/sh", "-c", _START, "sh", *words]
        with (self._folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                self._namespace.command(shell),
                env={**os.environ, **_SETTINGS},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def shut_down(self) -> None:
        """Ask the machine to shut down, as AWS does when it ends an instance. Does not wait."""
        if (running := self._process) is not None:
            for nspawn in _children(running.pid):
                os.kill(nspawn, signal.SIGTERM)

    def wait(self, *, within: float | None = 3 * FAR_TOO_LONG) -> None:
        """Wait until the machine is off.

        Raises:
            subprocess.TimeoutExpired: it is still on after `within` seconds.
        """
        if (running := self._process) is not None:
            running.wait(within)
            self._process = None

    def run(self, *command: str, within: float = FAR_TOO_LONG) -> str:
        """Return what `command` prints in the machine.

        Raises:
            RuntimeError: the command failed, or the machine has no first process yet.
        """
        first = self._first_process()
        if first is None:
            raise RuntimeError("the machine is not on")
        inside = ["nsenter", f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root"]
        done = subprocess.run(
            [*inside, "--", "/usr/bin/env", "--ignore-environment", *_ENVIRONMENT, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=within,
        )
        if done.returncode != 0:
            problem = done.stderr.decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {problem}")
        return done.stdout.decode(errors="replace")

    @property
    def console(self) -> str:
        """What the machine wrote to its console, over all starts."""
        file = self._folder / "console"
        return file.read_text(errors="replace") if file.exists() else ""

    @property
    def is_on(self) -> bool:
        running = self._process
        return running is not None and running.poll() is None

    @property
    def hears_power_button(self) -> bool:
        """Whether systemd runs in it already. Before that, nothing hears the signal."""
        first = self._first_process()
        return first is not None and Path("/proc", str(first), "root/run/systemd/private").exists()

    @property
    def is_booted(self) -> bool:
        """Whether `run` can run a command."""
        try:
            self.run("true")
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return True

    def cut_power(self) -> None:
        """End everything at once. The disk stays."""
        if (running := self._process) is not None:
            for process in _children(running.pid) or [running.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            running.wait(FAR_TOO_LONG)  # for nspawn, which the kernel ends after every process in its namespace
        self._group.close()

    def close(self) -> None:
        """End everything at once, and remove the machine's disk."""
        self.cut_power()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _first_process(self) -> int | None:
        """Return the id, on this machine, of the first process of the machine's own PID namespace."""
        running = self._process
        waiting = [] if running is None else _children(running.pid)
        while waiting:
            process = waiting.pop()
            if _ids(process)[2:] == [1]:  # the id here, the id in the namespace around nspawn, the id in the machine
                return process
            waiting += _children(process)
        return None


def _children(process: int) -> list[int]:
    """Return the ids of a process's children; none if it has ended."""
    with contextlib.suppress(OSError):
        files = Path("/proc", str(process)).glob("task/*/children")
        return [int(child) for file in files for child in file.read_text().split()]
    return []


def _ids(process: int) -> list[int]:
    """Return the ids of a process in each PID namespace, the outermost first; none if it has ended."""
    with contextlib.suppress(OSError):
        for line in Path("/proc", str(process), "status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return [int(number) for number in line.split()[1:]]
    return []
