"""Starts one container and stays beside it, as docker's own shim does: `python -I -S shim.py`, without any package.

The container has a file system, a network, process ids and a host name of its own. That takes root, or a kernel that
lets users make user namespaces. The shim itself stays outside of the container's process ids, but in its network, so
that it can forward connections from the published port. It has no rights that the user does not have.

Standard input: the first line is what to run, as JSON. When it closes, the container is killed.
Standard output: `{"pid": N}` when the container runs, `{"refused": "…", "status": N}` when it cannot, and
`{"status": N}` when it has ended: 128 + N after a signal N. The published port is free by then.
"""

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pwd
import signal
import socket
import struct
import sys
import termios

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
PDEATHSIG = 1
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
ADDRESS = "172.17.0.2"
"""The container's address in its own network: docker's first one. A server on 127.0.0.1 does not answer on it."""
DRAIN = 5
"""Seconds for what the container has sent to arrive, after its end."""
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Run the container that standard input describes, until it ends."""
    spec = json.loads(sys.stdin.buffer.readline())
    for descriptor in (*spec["stdio"], *(listener for listener, _ in spec["listeners"])):
        os.set_inheritable(descriptor, False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    separate()
    call(LIBC.unshare(NEWPID))
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        begin(spec, writing)
    os.close(writing)
    for descriptor in set(spec["stdio"]):
        os.close(descriptor)
    with os.fdopen(reading, "rb") as pipe:
        refusal = pipe.read()
    if refusal:
        os.waitpid(pid, 0)
        sys.stdout.write(refusal.decode() + "\n")
        return
    tell({"pid": pid})
    status = asyncio.run(accompany(spec, pid))
    tell({"status": status})


def separate() -> None:
    """Leave the namespaces of the machine, and bring the new network's loopback device up."""
    user, group = os.geteuid(), os.getegid()
    kinds = NEWNS | NEWUTS | NEWIPC | NEWNET
    if user == 0:
        call(LIBC.unshare(kinds))
    else:
        call(LIBC.unshare(kinds | NEWUSER))
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sH14x", b"lo", 1 | 64)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(control, 0x8914, up)  # SIOCSIFFLAGS
        address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(ADDRESS))
        fcntl.ioctl(control, 0x8916, address)  # SIOCSIFADDR
    call(LIBC.mount(b"none", b"/", None, REC | PRIVATE, None))


def begin(spec, writing) -> None:
    """Become the container's first process, or write to the pipe why not."""
    try:
        call(LIBC.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        socket.sethostname(spec["hostname"])
        furnish(spec)
        os.chroot(spec["root"])
        enter(spec)
    except Refused as refused:
        os.write(writing, json.dumps({"refused": str(refused), "status": refused.status}).encode())
    except OSError as error:
        os.write(writing, json.dumps({"refused": f"{error.filename or 'namespace'}: {error.strerror}", "status": 125}).encode())
    finally:
        os._exit(1)


class Refused(Exception):
    """The container cannot start. `str()` is what the container runtime says."""

    def __init__(self, text, status) -> None:
        super().__init__(text)
        self.status = status


def furnish(spec) -> None:
    """Mount everything that the container's file system has."""
    root = spec["root"]
    for source, target, read_only in spec["binds"]:
        place = root + target
        if os.path.isdir(source):
            os.makedirs(place, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if not os.path.lexists(place):
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
        mount(source, place, flags=BIND | REC)
        if read_only:
            with contextlib.suppress(OSError):  # a user cannot change how a mount of the machine is mounted
                mount(source, place, flags=BIND | REMOUNT | RDONLY)
    os.makedirs(f"{root}/proc", exist_ok=True)
    try:
        mount("proc", f"{root}/proc", kind="proc", flags=NOSUID | NODEV | NOEXEC)
    except OSError:  # where /proc itself has mounts, as in a container of docker, a user cannot mount another one
        mount("/proc", f"{root}/proc", flags=BIND | REC)
    devices = f"{root}/dev"
    os.makedirs(devices, exist_ok=True)
    mount("tmpfs", devices, kind="tmpfs", flags=NOSUID, options="mode=755")
    for name in DEVICES:
        os.close(os.open(f"{devices}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        mount(f"/dev/{name}", f"{devices}/{name}", flags=BIND)
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"{devices}/{name}")
    for name, kind, options in (
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"),
        ("shm", "tmpfs", f"mode=1777,size={spec['shm_bytes']}"),
    ):
        os.mkdir(f"{devices}/{name}")
        mount(kind, f"{devices}/{name}", kind=kind, flags=NOSUID | NOEXEC, options=options)
    os.symlink("pts/ptmx", f"{devices}/ptmx")


def enter(spec) -> None:
    """Become the container's program."""
    os.setsid()
    for number, descriptor in enumerate(spec["stdio"]):
        os.dup2(descriptor, number, inheritable=True)
    if spec["tty"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    user, group, home = account(spec["user"])
    os.makedirs(spec["directory"], exist_ok=True)  # docker makes a working directory that is missing
    os.chdir(spec["directory"])
    if spec["as_root"]:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    os.umask(0o022)
    environment = {"HOME": home, **spec["environment"]}
    words = spec["command"]
    path = find(words[0], environment.get("PATH", ""))
    try:
        os.execve(path, [os.fsencode(word) for word in words], {os.fsencode(k): os.fsencode(v) for k, v in environment.items()})
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise Refused(f'exec: "{words[0]}": argument list too long', 126) from None
        os.write(2, f"exec {path}: {error.strerror.lower()}\n".encode())
        os._exit(255 if error.errno == errno.ENOEXEC else 126)


def account(name):
    """The ids and the home folder of `--user`. Its groups are looked up in the container's own files."""
    user, _, group = name.partition(":")
    entry = None
    with contextlib.suppress(KeyError):
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user or "root")
    if entry is None and not user.isdigit():
        raise Refused(f"unable to find user {user}: no matching entries in passwd file", 125)
    number = int(user) if user.isdigit() else entry.pw_uid
    group_number = 0 if entry is None else entry.pw_gid
    if group and not group.isdigit():
        found = [line.split(":")[2] for line in open("/etc/group") if line.split(":")[0] == group]
        if not found:
            raise Refused(f"unable to find group {group}: no matching entries in group file", 125)
        group = found[0]
    return number, int(group or group_number), "/" if entry is None else entry.pw_dir


def find(program, path):
    """The file of a program, as runc looks for it."""
    if "/" in program:
        if not os.path.exists(program):
            raise Refused(f'exec: "{program}": stat {program}: no such file or directory', 127)
        found = program
    else:
        places = [f"{folder}/{program}" for folder in path.split(":") if folder]
        found = next((place for place in places if os.path.isfile(place)), None)
        if found is None:
            raise Refused(f'exec: "{program}": executable file not found in $PATH', 127)
    if not os.access(found, os.X_OK) or os.path.isdir(found):
        raise Refused(f'exec: "{program}": permission denied', 126)
    return found


async def accompany(spec, pid):
    """Forward the published port until the container has ended; returns its status."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    end = os.pidfd_open(pid)
    loop.add_reader(end, ended.set)

    def kill_at_the_end_of_input() -> None:
        if not os.read(0, 1):
            loop.remove_reader(0)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    loop.add_reader(0, kill_at_the_end_of_input)  # no threads: a process whose children are in another PID namespace has none
    forwarder = Forwarder(spec)
    servers = [
        await asyncio.start_server(
            lambda reader, writer, from_outside=outside: forwarder.serve(reader, writer, outside=from_outside),
            sock=socket.socket(fileno=descriptor),
        )
        for descriptor, outside in spec["listeners"]
    ]
    await ended.wait()
    loop.remove_reader(end)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    for server in servers:
        server.close()
    if forwarder.tasks:
        await asyncio.wait(forwarder.tasks, timeout=DRAIN)
    return status if status >= 0 else 128 - status


class Forwarder:
    """Connects clients of the published port with the container's port."""

    def __init__(self, spec) -> None:
        self.port, self.closed, self.local = spec["port"], spec["closed"], spec["local"]
        self.tasks = set()

    async def serve(self, reader, writer, *, outside) -> None:
        """Forward one connection. While the file `closed` exists, connections from outside are reset."""
        task = asyncio.current_task()
        self.tasks.add(task)
        try:
            if outside and os.path.exists(self.closed):
                reset(writer)
                return
            host = "127.0.0.1" if os.path.exists(self.local) else ADDRESS
            try:
                inner_reader, inner_writer = await asyncio.open_connection(host, self.port)
            except OSError:
                reset(writer)
                return
            try:
                await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
            finally:
                inner_writer.close()
        finally:
            writer.close()
            self.tasks.discard(task)


async def copy(reader, writer) -> None:
    """Copy until one side ends. A side that breaks takes the other with it."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


def reset(writer) -> None:
    """End a connection as a closed port does."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def mount(source, target, *, kind="", flags=0, options="") -> None:
    """The system call."""
    words = [os.fsencode(source), os.fsencode(target), kind.encode() or None]
    call(LIBC.mount(*words, flags, options.encode() or None), target)


def call(status, path=None) -> None:
    """Raise the error of a system call."""
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)


def tell(said) -> None:
    """A line for the engine."""
    with contextlib.suppress(OSError):
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
