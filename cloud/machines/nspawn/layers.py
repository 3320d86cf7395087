"""The layers of container images that are made from scratch: programs, packages, this project."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = (
    *("basename", "bash", "cat", "chmod", "cp", "curl", "cut", "date", "dirname", "du", "env", "false", "find", "grep"),
    *(
        "head",
        "id",
        "kill",
        "ln",
        "ls",
        "mkdir",
        "mktemp",
        "mv",
        "pkill",
        "ps",
        "python3",
        "readlink",
        "realpath",
        "rm",
    ),
    *("sed", "seq", "sleep", "sort", "stat", "tail", "tar", "tee", "test", "touch", "tr", "true", "uname", "wc"),
    *("whoami", "xargs"),
)
_LEFT_OUT = ("ensurepip", "idlelib", "pydoc_data", "test", "tkinter", "turtledemo")
_OF_WHEELS = ("libdl.so.2", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "librt.so.1", "libstdc++.so.6")
"""Libraries that compiled packages of Python take from the system (manylinux_2_28)."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """Bytes as a registry has them, in memory or in a file."""

    digest: str
    size: int
    data: bytes | Path

    def chunks(self) -> Iterator[bytes]:
        """The bytes, at most `CHUNK` at a time."""
        if isinstance(self.data, bytes):
            yield from (self.data[start : start + CHUNK] for start in range(0, self.size, CHUNK))
            return
        with self.data.open("rb") as file:
            while data := file.read(CHUNK):
                yield data


def blob(data: bytes | Path) -> Blob:
    """Return a blob of bytes, or of a file that stays as it is."""
    if isinstance(data, bytes):
        return Blob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), data)
    with data.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Blob(f"sha256:{digest}", data.stat().st_size, data)


def base_layer(root: Path, file: Path, more: Mapping[str, Path] | None = None) -> Blob:
    """Write the layer that all images have: a shell, usual programs and Python, out of Debian's `root`. `more`: folders
    of this machine, by their place in the container."""
    programs = [f"usr/bin/{name}" for name in PROGRAMS]
    standard = next(path for path in (root / "usr/lib").glob("python3.*") if path.is_dir())
    library = [path.relative_to(root).as_posix() for path in standard.rglob("*") if path.is_file() and _wanted(path)]
    modules = [name for name in library if name.endswith(".so")]
    system = [path.relative_to(root).as_posix() for name in _OF_WHEELS for path in (root / "usr/lib").glob(f"*/{name}")]
    names = {*programs, *library, *system, *_libraries(root, [*programs, *modules])}

    def fill(tar: tarfile.TarFile) -> None:
        for name in ("bin", "lib", "lib64", "sbin"):
            add_link(tar, name, f"usr/{name.replace('sbin', 'bin')}")
        add_link(tar, "usr/bin/sh", "bash")
        add_link(tar, f"usr/bin/{standard.name}", "python3")
        for folder in ("tmp", "data", "root", "usr/bin", "usr/lib", "etc", "run"):
            add_folder(tar, folder)
        for name in sorted(names):
            real = (root / name).resolve()
            add_file(tar, name, real.read_bytes(), 0o755, int(real.stat().st_mtime))
        for place, folder in (more or {}).items():
            _add_tree(tar, folder, place)

    return written(file, fill)


def folder_layer(folder: Path, file: Path, *, place: str = "") -> Blob:
    """Write a layer with everything that is in `folder`. `place`: the folder of the container that it is for."""

    return written(file, lambda tar: _add_tree(tar, folder, place))


def files_layer(files: Iterable[tuple[str, bytes, int]]) -> Blob:
    """Return a layer of files: path, content, mode."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for path, content, mode in files:
            add_file(tar, path.lstrip("/"), content, mode)
    return blob(data.getvalue())


def written(file: Path, fill: Callable[[tarfile.TarFile], None]) -> Blob:
    """Write a tar file that is there as a whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.new")
    with tarfile.open(unfinished, "w") as tar:
        fill(tar)
    unfinished.replace(file)
    return blob(file)


def add_file(tar: tarfile.TarFile, name: str, data: bytes, mode: int, time: int = 0) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), mode, time
    tar.addfile(entry, io.BytesIO(data))


def add_folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
    tar.addfile(entry)


def add_link(tar: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def _add_tree(tar: tarfile.TarFile, folder: Path, place: str) -> None:
    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    for path in sorted(folder.rglob("*")):
        tar.add(path, f"{place}/{path.relative_to(folder)}".lstrip("/"), recursive=False, filter=owned)


def _libraries(root: Path, programs: Sequence[str]) -> set[str]:
    """Return the shared libraries of programs and modules, as paths in `root`."""
    printed = subprocess.run(
        ["chroot", str(root), "ldd", *(f"/{program}" for program in programs)],
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    words = [word for line in printed.splitlines() if "(" in line for word in line.split()]
    paths = {word for word in words if word.startswith("/") and not word.endswith(":")}
    return {"usr" + path if not path.startswith("/usr") else path.lstrip("/") for path in paths}


def _wanted(path: Path) -> bool:
    return not any(part in _LEFT_OUT for part in path.parts)
