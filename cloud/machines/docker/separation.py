"""What separates a container from the machine: namespaces of the kernel, and a file system of its own.

It takes root, or a kernel that lets users make user namespaces. Without root, the container's root is the user.
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct

from cloud.machines.docker.forwarder import ADDRESS

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
"""Kinds of namespaces (sched.h)."""
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
"""Flags of mounts (sys/mount.h)."""
SIOCSIFFLAGS, SIOCSIFADDR, UP_AND_RUNNING = 0x8914, 0x8916, 1 | 64
PDEATHSIG = 1
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
LIBC = ctypes.CDLL(None, use_errno=True)


def separate() -> None:
    """Leave the machine's namespaces, but for its process ids, and bring up the loopback device of the new network.

    Raises:
        OSError: the kernel does not let this user.
    """
    user, group = os.geteuid(), os.getegid()
    kinds = NEWNS | NEWUTS | NEWIPC | NEWNET
    if user == 0:
        _call(LIBC.unshare(kinds))
    else:
        _call(LIBC.unshare(kinds | NEWUSER))
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", UP_AND_RUNNING))
        address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
        fcntl.ioctl(control, SIOCSIFADDR, address)
    _call(LIBC.mount(b"none", b"/", None, REC | PRIVATE, None))


def separate_process_ids() -> None:
    """Give the next child process ids of its own. From then on, this process can start no threads."""
    _call(LIBC.unshare(NEWPID))


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends."""
    _call(LIBC.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def furnish(root: str, binds: list[tuple[str, str, bool]], shm_bytes: int) -> None:
    """Mount everything that the file system of a container has.

    binds: a place of the machine, the place in the container, and whether it is read-only there.
    """
    for source, target, read_only in binds:
        _bind(source, root + target, read_only)
    os.makedirs(f"{root}/proc", exist_ok=True)
    try:
        _mount("proc", f"{root}/proc", kind="proc", flags=NOSUID | NODEV | NOEXEC)
    except OSError:  # where /proc itself has mounts, as in a container of docker, a user cannot mount another one
        _mount("/proc", f"{root}/proc", flags=BIND | REC)
    devices = f"{root}/dev"
    os.makedirs(devices, exist_ok=True)
    _mount("tmpfs", devices, kind="tmpfs", flags=NOSUID, options="mode=755")
    for name in DEVICES:
        os.close(os.open(f"{devices}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        _mount(f"/dev/{name}", f"{devices}/{name}", flags=BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{devices}/{name}")
    for name, kind, options in (
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"),
        ("shm", "tmpfs", f"mode=1777,size={shm_bytes}"),
    ):
        os.mkdir(f"{devices}/{name}")
        _mount(kind, f"{devices}/{name}", kind=kind, flags=NOSUID | NOEXEC, options=options)
    os.symlink("pts/ptmx", f"{devices}/ptmx")


def _bind(source: str, place: str, read_only: bool) -> None:
    if os.path.isdir(source):
        os.makedirs(place, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if not os.path.lexists(place):
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
    _mount(source, place, flags=BIND | REC)
    if read_only:
        with contextlib.suppress(OSError):  # a user cannot change how a mount of the machine is mounted
            _mount(source, place, flags=BIND | REMOUNT | RDONLY)


def _mount(source: str, target: str, *, kind: str = "", flags: int = 0, options: str = "") -> None:
    words = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    _call(LIBC.mount(*words, flags, options.encode() or None), target)


def _call(status: int, path: str | None = None) -> None:
    """Raise the error of a system call."""
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
