"""The first process of a container: from the shim's child to the program that `docker run` names."""

import contextlib
import errno
import fcntl
import os
import pwd
import termios
from collections.abc import Mapping, Sequence

NOT_FOUND, NOT_EXECUTABLE, REFUSED = 127, 126, 125
"""docker's own statuses."""


class Refused(Exception):
    """The container cannot start. `str()` is what the container runtime says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def enter(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    stdio: Sequence[int],
    terminal: bool,
    directory: str,
    user: str,
    as_root: bool,
) -> None:
    """Become the program. The process is in its file system already.

    Raises:
        Refused: there is no such program or user.
    """
    os.setsid()
    for number, descriptor in enumerate(stdio):
        os.dup2(descriptor, number, inheritable=True)
    if terminal:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    number, group, home = _account(user)
    os.makedirs(directory, exist_ok=True)  # docker makes a working directory that is missing
    os.chdir(directory)
    if as_root:
        os.setgroups([])
        os.setgid(group)
        os.setuid(number)
    os.umask(0o022)
    variables = {"HOME": home, **environment}
    path = _find(command[0], variables.get("PATH", ""))
    try:
        os.execve(  # noqa: S606
            path,
            [os.fsencode(word) for word in command],
            {os.fsencode(name): os.fsencode(value) for name, value in variables.items()},
        )
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise Refused(f'exec: "{command[0]}": argument list too long', NOT_EXECUTABLE) from None
        os.write(2, f"exec {path}: {os.strerror(error.errno or 0).lower()}\n".encode())
        os._exit(255)


def _account(name: str) -> tuple[int, int, str]:
    """Return user, group and home folder of `--user`, by the container's own files."""
    user, _, group = name.partition(":")
    entry = None
    with contextlib.suppress(KeyError):
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user or "root")
    if entry is None and not user.isdigit():
        raise Refused(f"unable to find user {user}: no matching entries in passwd file", REFUSED)
    if group and not group.isdigit():
        group = _group_id(group)
    number = int(user) if entry is None else entry.pw_uid
    return number, int(group or (0 if entry is None else entry.pw_gid)), "/" if entry is None else entry.pw_dir


def _group_id(name: str) -> str:
    with open("/etc/group") as file:
        for line in file:
            if line.split(":")[0] == name:
                return line.split(":")[2]
    raise Refused(f"unable to find group {name}: no matching entries in group file", REFUSED)


def _find(program: str, path: str) -> str:
    """Return the file of a program, as runc looks for it."""
    if "/" in program:
        if not os.path.exists(program):
            raise Refused(f'exec: "{program}": stat {program}: no such file or directory', NOT_FOUND)
        found = program
    else:
        places = [f"{folder}/{program}" for folder in path.split(":") if folder]
        found = next((place for place in places if os.path.isfile(place)), "")
        if not found:
            raise Refused(f'exec: "{program}": executable file not found in $PATH', NOT_FOUND)
    if not os.access(found, os.X_OK) or os.path.isdir(found):
        raise Refused(f'exec: "{program}": permission denied', NOT_EXECUTABLE)
    return found
